/**
 * The runs that `npm run replay` plays in both trees: a few steps of small models, one for each way in which a run can
 * be laid out, interrupted or shuffled.
 */

export interface ReplayRun {
  readonly name: string;
  readonly architecture: 'switch' | 'transformer';
  /** Keys as by `--set`. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Interrupts the run after this step and resumes it. */
  readonly stopAfter?: number;
  /** Plays it in one thread, with messages late and out of order by this seed. */
  readonly shuffleSeed?: number;
}

const parallel = (data: number, pipeline: number, expert: number, microBatches: number) => ({
  'parallelism.data_parallel': data,
  'parallelism.pipeline_parallel': pipeline,
  'parallelism.expert_parallel': expert,
  'parallelism.micro_batches': microBatches,
});
const threads = (workers: number) => ({ 'cluster.workers_per_node': workers });
const nodes = (count: number) => ({ 'cluster.nodes': count, 'cluster.nats.url': 'auto' });
const all = parallel(2, 2, 2, 2);

const dense = (name: string, settings: ReplayRun['settings']): ReplayRun => ({
  name,
  architecture: 'transformer',
  settings,
});
const sparse = (name: string, settings: ReplayRun['settings'], rest: Partial<ReplayRun> = {}): ReplayRun => ({
  name,
  architecture: 'switch',
  settings,
  ...rest,
});

export const replayRuns: readonly ReplayRun[] = [
  dense('dense', parallel(1, 1, 1, 1)),
  dense('dense-data-pipeline', { ...parallel(2, 2, 1, 2), ...threads(2) }),
  sparse('switch', parallel(1, 1, 1, 2)),
  sparse('switch-data', { ...parallel(2, 1, 1, 2), ...threads(2) }),
  sparse('switch-pipeline', { ...parallel(1, 2, 1, 4), ...threads(2) }),
  sparse('switch-experts', { ...parallel(1, 1, 4, 2), ...threads(2) }),
  sparse('switch-all', { ...all, ...threads(4) }),
  sparse('top-2', { ...all, 'moe.top_k': 2, 'moe.z_loss_coef': 0.001, 'moe.capacity_factor': 1 }),
  sparse('bf16', { ...all, 'training.precision': 'bf16' }),
  sparse('fp16', { ...all, 'training.precision': 'fp16', 'training.loss_scale.growth_interval': 2 }),
  sparse('shuffled', parallel(2, 1, 2, 2), { shuffleSeed: 1 }),
  sparse('resumed', { ...all, ...threads(2) }, { stopAfter: 3 }),
  sparse('two-nodes', { ...all, ...nodes(2) }),
  sparse('webgpu', { ...parallel(1, 1, 2, 1), 'cluster.device': 'webgpu:0', 'training.steps': 3 }),
];
