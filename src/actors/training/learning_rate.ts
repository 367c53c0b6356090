/**
 * The learning rate is a pure function of the data step: a linear warm-up to the peak, then what the schedule says. Where
 * a schedule falls, the last step has the minimum.
 */
import { decaySteps, type OptimizerSection } from '../../topology/index.ts';

/**
 * The learning rate of data step `step`, from 0, in a run of `steps`: during warm-up a linear rise, whose last step has the
 * peak; then a cosine (Loshchilov & Hutter 2017) or a line down to `min_lr`, the peak until a decay over the last steps
 * (WSD: Hu et al. 2024, arXiv 2404.06395), or the peak throughout. Past the last step it is that of the last.
 */
export function learningRate(step: number, steps: number, optimizer: OptimizerSection): number {
  const { lr, min_lr, warmup_steps, schedule } = optimizer;
  if (step < warmup_steps) return (lr * (step + 1)) / warmup_steps;
  if (schedule === 'constant') return lr;
  if (schedule === 'wsd') return between(min_lr, lr, decayed(step, steps, optimizer));
  const progress = Math.min((step - warmup_steps) / Math.max(steps - 1 - warmup_steps, 1), 1);
  if (schedule === 'linear') return between(min_lr, lr, 1 - progress);
  return min_lr + 0.5 * (lr - min_lr) * (1 + Math.cos(Math.PI * progress));
}

/**
 * What the decay has left at `step` of the way from minimum to peak: 1 until it begins, 0 in the last of `steps`. By default
 * 1 − √progress, which ends lower than a line does (Hägele et al. 2024, arXiv 2405.18392).
 */
function decayed(step: number, steps: number, optimizer: OptimizerSection): number {
  const length = decaySteps(optimizer, steps);
  const progress = Math.min(Math.max((step + 1 - (steps - length)) / length, 0), 1);
  return 1 - (optimizer.decay_type === 'linear' ? progress : Math.sqrt(progress));
}

/** Exactly the minimum at a share of 0 and exactly the peak at 1, whatever the two are. */
const between = (minimum: number, peak: number, share: number): number => minimum * (1 - share) + peak * share;
