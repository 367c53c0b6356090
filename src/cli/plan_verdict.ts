/** The last line of a plan: whether every worker's memory suffices, and if not, the sum that does not fit and what to do. */
import type { Plan, WorkerPlan } from '../run/plan.ts';
import { nodeName, workerName } from '../actors/placement/directory.ts';
import { ARENA_LIMIT_BYTES } from '../kernels/arena.ts';
import type { Worker } from '../topology/index.ts';
import { mebibytes, percent, plural } from './figures.ts';

/** The name that a worker has in every other message. */
export const nameOf = ({ node, worker }: Worker): string => workerName(nodeName(node), worker);

/** One line: of the fullest worker, and of those that have too little memory where there are such. */
export function verdict({ workers, runSpec }: Plan): string {
  const lacking = workers.filter(({ fits }) => !fits);
  const fullest = fullestOf(lacking.length === 0 ? workers : lacking);
  const { totalBytes, limitBytes } = fullest;
  const name = nameOf(fullest.worker);
  if (lacking.length === 0) {
    const share = percent(totalBytes / limitBytes);
    return `fits: ${name} is the fullest, with ${mebibytes(totalBytes)} of ${mebibytes(limitBytes)} (${share})`;
  }
  const asked = `does not fit on ${lacking.length} of ${plural(workers.length, 'worker')}: ${name} asks for ${mebibytes(totalBytes)}`;
  if (fullest.device === 'cpu' && totalBytes > ARENA_LIMIT_BYTES) {
    return (
      `${asked} (${sumOf(fullest)}), and a worker on cpu addresses ${mebibytes(ARENA_LIMIT_BYTES)}; divide the model among ` +
      'more workers (cluster.workers_per_node, with parallelism.pipeline_parallel or expert_parallel), raise ' +
      'parallelism.micro_batches, make the model smaller, or set cluster.device=webgpu'
    );
  }
  const { memory_per_worker: budget } = runSpec.topology.cluster;
  return (
    `${asked} of a budget of ${mebibytes(budget)}; raise cluster.memory_per_worker, add workers, or make the model or the ` +
    'microbatch smaller'
  );
}

/** What a worker's memory is for, as a sum. */
function sumOf({ actors, scratchBytes, holeBytes }: WorkerPlan): string {
  const sums = { parameters: 0, gradients: 0, moments: 0, activations: 0, scratch: scratchBytes + holeBytes };
  for (const { memory } of actors) {
    sums.parameters += memory.parameters;
    sums.gradients += memory.gradients;
    sums.moments += memory.moments;
    sums.activations += memory.activations;
  }
  return Object.entries(sums)
    .filter(([, bytes]) => bytes > 0)
    .map(([what, bytes]) => `${what} ${mebibytes(bytes)}`)
    .join(' + ');
}

/** By the share of what it may have, which differs by device. */
const fullestOf = (workers: readonly WorkerPlan[]): WorkerPlan =>
  workers.reduce((a, b) => (shareOf(b) > shareOf(a) ? b : a));

const shareOf = ({ totalBytes, limitBytes }: WorkerPlan): number => totalBytes / limitBytes;
