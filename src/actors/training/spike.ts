/**
 * A spike is a number of a step far above those of the steps before it. How far is told by a robust z-score: the distance from the
 * median of the past, in units of the median absolute deviation, which a few outliers among the past do not move. Only what is too high
 * is a spike: loss and gradient norm fall when all goes well.
 */
import type { SentinelSection } from '../../topology/index.ts';

/** What a committed step came to. */
export interface StepNumbers {
  readonly loss: number;
  readonly gradNorm: number;
}

/** Makes the median absolute deviation of a normal distribution its standard deviation: 1 / Φ⁻¹(3/4). */
const normalConsistency = 1.4826;

/** The least deviation, by the median: a curve so flat that its deviation vanishes would make a spike of any rounding. */
const leastDeviation = 1e-3;

/** How many robust standard deviations `value` is above the median of `past`, which is not empty. */
export function robustScore(value: number, past: readonly number[]): number {
  const middle = median(past);
  const deviation = normalConsistency * median(past.map((each) => Math.abs(each - middle)));
  const scale = Math.max(deviation, leastDeviation * Math.abs(middle), Number.MIN_VALUE);
  return (value - middle) / scale;
}

/**
 * What of a step is a spike after `past`, in words; none where the past does not fill the window, as in the first steps, which change
 * fastest.
 */
export function spikesOf(
  { loss, gradNorm }: StepNumbers,
  past: readonly StepNumbers[],
  limits: SentinelSection,
): string[] {
  if (past.length < limits.window) return [];
  return [
    ...spike(
      'loss',
      loss,
      limits.loss_spike,
      past.map((each) => each.loss),
    ),
    ...spike(
      'gradient norm',
      gradNorm,
      limits.gradient_spike,
      past.map((each) => each.gradNorm),
    ),
  ];
}

/** A limit of 0 is none. */
function spike(name: string, value: number, limit: number, past: readonly number[]): string[] {
  if (limit === 0) return [];
  const score = robustScore(value, past);
  if (!(score > limit)) return [];
  return [
    `${name} is ${short(value)}, ${short(score)} deviations above ${short(median(past))}, the median of ${past.length} steps`,
  ];
}

const short = (value: number): string => String(Number(value.toPrecision(4)));

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}
