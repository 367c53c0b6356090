/** A warning of workers that have nothing to do in a run, as a plan shows before it begins. */
import type { Plan } from '../run/plan.ts';

/** `10 of 16 workers have nothing to do; raise parallelism.data_parallel (4) ...`; null where each has a role. */
export function idleWorkers({ workers, runSpec }: Plan): string | null {
  const idle = workers.filter(({ roles }) => roles.length === 0).length;
  if (idle === 0) return null;
  const { parallelism, moe } = runSpec.topology;
  const keys = moe === undefined ? (['data_parallel'] as const) : (['data_parallel', 'expert_parallel'] as const);
  const raised = keys.map((key) => `parallelism.${key} (${parallelism[key]})`).join(' or ');
  const have = idle === 1 ? 'has' : 'have';
  return `${idle} of ${workers.length} workers ${have} nothing to do; raise ${raised}, or take fewer workers: cluster.nodes, cluster.workers_per_node`;
}
