/** A run of 12 steps that is spread over nodes and workers, and what its workers are computed on. */
export const settings = { 'training.steps': 12, 'training.eval_interval': 4, 'checkpoint.interval': 4 };

export const onNodes = (nodes: number, workers: number) => ({
  ...settings,
  'cluster.nats.url': 'auto',
  'cluster.nodes': nodes,
  'cluster.workers_per_node': workers,
});

export const processor = { device: 'cpu', adapter: null, reason: 'cluster.device is cpu' };

export const devicesOn = (nodes: number, workers: number): object[] =>
  Array.from({ length: nodes * workers }, (_, i) => {
    const node = `node-${Math.floor(i / workers)}`;
    return { ...processor, node, worker: `${node}.worker-${i % workers}` };
  });
