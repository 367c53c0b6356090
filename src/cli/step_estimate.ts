/**
 * How long the arithmetic of a step takes at least: the work of the busiest worker, at the speed at which one thread of this
 * machine multiplies matrices, measured as `troupe doctor` does. An estimate for runs on the processor; what a step waits
 * for, and what is no product of matrices, comes on top.
 */
import { availableParallelism } from 'node:os';
import type { Plan } from '../run/plan.ts';
import { checkCpu } from './checks/cpu.ts';
import { nameOf } from './plan_verdict.ts';

export interface StepEstimate {
  readonly seconds: number;
  /** Of one thread. */
  readonly gflops: number;
  /** Whose work it is, or how many cores share that of all workers. */
  readonly of: { readonly worker: string; readonly flops: number } | { readonly cores: number; readonly flops: number };
}

/** Of a plan on this machine; null where a worker is on a GPU, or the processor's speed cannot be measured. */
export async function estimateStep(plan: Plan): Promise<StepEstimate | null> {
  if (plan.workers.some(({ device }) => device !== 'cpu')) return null;
  const { gflops } = (await checkCpu()).facts;
  return typeof gflops === 'number' && gflops > 0 ? estimateAt(plan, gflops, availableParallelism()) : null;
}

/** At so many GFLOP/s a thread, on so many cores. Workers beyond the cores have to take turns. */
export function estimateAt({ workers }: Plan, gflops: number, cores: number): StepEstimate {
  const busiest = workers.reduce((a, b) => (b.flops > a.flops ? b : a));
  const all = workers.reduce((sum, { flops }) => sum + flops, 0);
  const perSecond = gflops * 1e9;
  if (all / cores > busiest.flops) return { seconds: all / cores / perSecond, gflops, of: { cores, flops: all } };
  const of = { worker: nameOf(busiest.worker), flops: busiest.flops };
  return { seconds: busiest.flops / perSecond, gflops, of };
}

/** The estimate in two lines, with where it comes from. */
export function estimateLines({ seconds, gflops, of }: StepEstimate): string[] {
  const work = `${(of.flops / 1e9).toFixed(2)} GFLOP`;
  const whose = 'worker' in of ? `${work} of ${of.worker}` : `${work} of all workers, on ${of.cores} cores`;
  return [
    `A step computes for ${seconds.toPrecision(2)} s at least: ${whose}, at ${gflops} GFLOP/s a thread.`,
    'An estimate, measured here as by troupe doctor; messages, waiting and all but products come on top.',
  ];
}
