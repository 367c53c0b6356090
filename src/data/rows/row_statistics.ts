/**
 * Statistics of the rows of a file, from measures of its parts: how many there are of each length, from which every quantile
 * follows to the token. Lengths that differ are few: n of them need n² / 2 tokens of rows.
 */
import type { RowMeasure } from './row_measure.ts';
import { noRows, sumOf } from './rows_made.ts';
import type { RowCounts } from './sampler.ts';

export class RowStatistics {
  readonly #samples = new Map<number, number>();
  #counts: RowCounts = noRows;

  add({ lengths, counts }: RowMeasure): void {
    for (const length of lengths) this.#samples.set(length, (this.#samples.get(length) ?? 0) + 1);
    this.#counts = sumOf(this.#counts, counts);
  }

  get counts(): RowCounts {
    return this.#counts;
  }

  /** The least number of tokens that this many per cent of the samples do not exceed, before anything is cut; 0 of none. */
  percentile(percent: number): number {
    const lengths = [...this.#samples].sort(([a], [b]) => a - b);
    const all = lengths.reduce((sum, [, samples]) => sum + samples, 0);
    let samples = 0;
    for (const [length, more] of lengths) {
      samples += more;
      if (100 * samples >= percent * all) return length;
    }
    return 0;
  }
}
