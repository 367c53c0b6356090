/** What `cluster.device` says of one worker: a word for all, or a list with an entry for each node, or for each worker of it. */
import type { ClusterSection } from './schema.ts';
import { DEFAULT_DEVICE } from './schema/cluster.ts';

/** The choice of device of a worker, both by index. A node that a list does not reach has the key's default. */
export function deviceOf({ device }: Pick<ClusterSection, 'device'>, node: number, worker: number): string {
  if (typeof device === 'string') return device;
  const ofNode = device.at(node) ?? DEFAULT_DEVICE;
  return typeof ofNode === 'string' ? ofNode : (ofNode.at(worker) ?? DEFAULT_DEVICE);
}

/** Those of all workers of a node. */
export function devicesOf(cluster: Pick<ClusterSection, 'device' | 'workers_per_node'>, node: number): string[] {
  return Array.from({ length: cluster.workers_per_node }, (_, worker) => deviceOf(cluster, node, worker));
}
