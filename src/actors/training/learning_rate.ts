/** The learning rate is a pure function of the data step: linear warm-up, then a cosine or the peak. */
import type { OptimizerSection } from '../../topology/index.ts';

/** Linear warm-up to the peak, then a cosine to `min_lr` at the last of `steps`, or the peak throughout. */
export function learningRate(step: number, steps: number, optimizer: OptimizerSection): number {
  const { lr, min_lr, warmup_steps, schedule } = optimizer;
  if (step < warmup_steps) return (lr * (step + 1)) / warmup_steps;
  if (schedule === 'constant') return lr;
  const progress = Math.min((step - warmup_steps) / Math.max(steps - 1 - warmup_steps, 1), 1);
  return min_lr + 0.5 * (lr - min_lr) * (1 + Math.cos(Math.PI * progress));
}
