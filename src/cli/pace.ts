/**
 * How fast a run goes and when it will end, from its last ten steps. Fed with each step's metrics and the time they came;
 * holds no clock, so the same steps give the same line.
 */
import type { StepMetrics } from '../telemetry/index.ts';
import { count, duration, median, percent } from './figures.ts';

const windowSteps = 10;

export class Pace {
  readonly #totalSteps: number;
  #recent: { readonly atMs: number; readonly metrics: StepMetrics }[] = [];

  /** `totalSteps` of the whole run, steps before a resume included. */
  constructor(totalSteps: number) {
    this.#totalSteps = totalSteps;
  }

  add(metrics: StepMetrics, atMs: number): void {
    // One more than the window: ten steps lie between eleven times.
    this.#recent = [...this.#recent, { atMs, metrics }].slice(-(windowSteps + 1));
  }

  /** Milliseconds until the last step; null before two steps are known. */
  get remainingMs(): number | null {
    const first = this.#recent.at(0);
    const last = this.#recent.at(-1);
    if (first === undefined || last === undefined || first === last) return null;
    const msPerStep = (last.atMs - first.atMs) / (last.metrics.step - first.metrics.step);
    return msPerStep * Math.max(0, this.#totalSteps - last.metrics.step);
  }

  /** `step 120/400  loss 2.341  5.2 k tokens/s  dropped 1.2 %  ETA 3 min 20 s`; empty before the first step. */
  get line(): string {
    const metrics = this.#recent.at(-1)?.metrics;
    if (metrics === undefined) return '';
    const rates = this.#recent.slice(-windowSteps).map((entry) => entry.metrics.tokens_per_second);
    const remainingMs = this.remainingMs;
    return [
      `step ${metrics.step}/${this.#totalSteps}`,
      `loss ${metrics.loss.toFixed(3)}`,
      `${count(median(rates))} tokens/s`,
      ...(metrics.routed > 0 ? [`dropped ${percent(metrics.dropped / metrics.routed)}`] : []),
      ...(remainingMs === null || metrics.step >= this.#totalSteps ? [] : [`ETA ${duration(remainingMs)}`]),
    ].join('  ');
  }
}
