/**
 * The sequences of a run are drawn from its corpora by weight: the n-th one is of whichever corpus is furthest behind its share,
 * and there the next. A pure function of corpora, weights and seed.
 */
import { Allotment, type Draw } from './allotment.ts';
import type { Sequence, SequenceSource } from './sequence.ts';

/** A sequence, and the number of its corpus. */
export interface DrawnSequence {
  readonly corpus: number;
  readonly sequence: Sequence;
}

export class Draws {
  readonly names: readonly string[];
  /** Of the corpora, normalised to a sum of 1. */
  readonly shares: readonly number[];
  readonly #sources: readonly SequenceSource[];
  readonly #allotment: Allotment;

  /** `weights` go with `sources`. */
  constructor(sources: readonly SequenceSource[], weights: readonly number[]) {
    this.names = sources.map(({ name }) => name);
    this.#sources = sources;
    this.#allotment = new Allotment(weights);
    this.shares = this.#allotment.shares;
  }

  /** What sequence `n` counts. */
  weightOf(n: number): number {
    const { corpus, ordinal } = this.#at(n);
    return this.#sources[corpus].weightOf(ordinal);
  }

  /** Sequence `n`. Throws `DamagedPack`. */
  at(n: number): DrawnSequence {
    const { corpus, ordinal } = this.#at(n);
    return { corpus, sequence: this.#sources[corpus].sequence(ordinal) };
  }

  #at(n: number): Draw {
    if (!Number.isSafeInteger(n) || n < 0) throw new RangeError(`sequence ${n} is no number of one`);
    return this.#allotment.at(n);
  }
}
