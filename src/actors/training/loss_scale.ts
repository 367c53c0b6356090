/**
 * The loss scale keeps small gradients of fp16 products from vanishing (Micikevicius et al. 2018, §3.2). Gradients are
 * made times a power of two, so that f16 holds the small ones, and the update divides by it again. A step whose
 * gradients overflow is passed over and halves the scale; a row of clean steps doubles it. These are pure functions of
 * what was found; the state is in each decision.
 */
import type { TrainingSection } from '../../topology/index.ts';
import type { LossScale } from '../protocol/parameters.ts';
import type { Findings } from './sentinel.ts';

/** A scale that was doubled up to here is not doubled again. */
const LARGEST_SCALE = 2 ** 24;
/** What overflows unscaled is no fault of the scale. */
const LEAST_SCALE = 1;

/** `commit`: the gradients were finite. `skip`: the sentinel's, for a reason that no scale mends. */
export type ScaledStep = 'commit' | 'overflow' | 'skip';

/** The scale that a run begins with; null where nothing is scaled. */
export function firstLossScale({ precision, loss_scale }: TrainingSection): LossScale | null {
  return precision === 'fp16' ? { scale: loss_scale.initial, cleanSteps: 0 } : null;
}

/** Whether the gradients of a step overflowed because of its scale. Its loss is not scaled, and says nothing of it. */
export function overflows({ loss, gradNorm }: Findings, { scale }: LossScale): boolean {
  return Number.isFinite(loss) && !Number.isFinite(gradNorm) && scale > LEAST_SCALE;
}

/** The scale of the next step. */
export function lossScaleAfter({ scale, cleanSteps }: LossScale, step: ScaledStep, growthInterval: number): LossScale {
  if (step === 'skip') return { scale, cleanSteps };
  if (step === 'overflow') return { scale: Math.max(scale / 2, LEAST_SCALE), cleanSteps: 0 };
  if (cleanSteps + 1 < growthInterval) return { scale, cleanSteps: cleanSteps + 1 };
  return { scale: scale < LARGEST_SCALE ? 2 * scale : scale, cleanSteps: 0 };
}
