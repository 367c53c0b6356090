/**
 * How a corpus' runs are cut into windows of equal length. Training cuts its runs anew each epoch, at an offset drawn
 * for each run, and visits the windows in an order drawn for the epoch; evaluation always cuts from the run's begin.
 * A window of `T + 1` tokens gives T inputs and T targets.
 */
import { hashText, hashU32, wordsOf } from './hash.ts';
import type { TokenRange } from './held_out.ts';
import { permuted } from './permutation.ts';

/** What the words of a hash are for, so that no two choices share one. */
const OFFSET = 1;
const ORDER = 2;

interface CutRun {
  readonly begin: number;
  /** Windows in the runs before this one. */
  readonly before: number;
  /** Offsets that leave room for all windows of the run: 0 to this, inclusive. */
  readonly slack: number;
}

/** The training windows of one corpus at one window length, in the order that a seed gives them. */
export class TrainWindows {
  /** Windows in an epoch: the same in each. */
  readonly count: number;
  readonly #runs: readonly CutRun[];
  readonly #windowTokens: number;
  readonly #key: number;

  /**
   * `windowTokens` is the length of a window; `seed` is below 2^53.
   *
   * A run gives up one window if need be, so that its offset can take every value: borders then move by any number of
   * tokens. A run too short for that keeps its only window.
   */
  constructor(name: string, runs: readonly TokenRange[], windowTokens: number, seed: number) {
    const cut: CutRun[] = [];
    let before = 0;
    for (const { begin, end } of runs) {
      const tokens = end - begin;
      if (tokens < windowTokens) continue;
      const windows = Math.max(1, Math.floor((tokens - windowTokens + 1) / windowTokens));
      cut.push({ begin, before, slack: Math.min(windowTokens - 1, tokens - windows * windowTokens) });
      before += windows;
    }
    this.count = before;
    this.#runs = cut;
    this.#windowTokens = windowTokens;
    this.#key = hashU32(...wordsOf(seed), hashText(name));
  }

  /** First token of the `ordinal`-th window ever drawn from this corpus. */
  start(ordinal: number): number {
    const epoch = Math.floor(ordinal / this.count);
    const order = hashU32(this.#key, ORDER, ...wordsOf(epoch));
    const window = permuted(ordinal % this.count, this.count, order);
    const at = this.#runOf(window);
    const run = this.#runs[at];
    const offset = hashU32(this.#key, OFFSET, ...wordsOf(epoch), at) % (run.slack + 1);
    return run.begin + offset + (window - run.before) * this.#windowTokens;
  }

  #runOf(window: number): number {
    let low = 0;
    let high = this.#runs.length - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (this.#runs[middle].before <= window) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

/** First tokens of all windows that fit into `runs` side by side. */
export function windowStarts(runs: readonly TokenRange[], windowTokens: number): number[] {
  const starts: number[] = [];
  for (const { begin, end } of runs) {
    for (let at = begin; at + windowTokens <= end; at += windowTokens) starts.push(at);
  }
  return starts;
}
