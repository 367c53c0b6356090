/**
 * What an evaluation sees: all sequences of its corpora, or up to so many, allotted to the corpora by weight and spread evenly
 * over what each has. Of training data it is the part that training never touches. The same for every seed.
 */
import { Allotment } from './allotment.ts';
import type { DrawnSequence } from './draws.ts';
import type { PackedCorpus } from './packed_corpus.ts';
import type { PackedRows, RowsPart } from './rows/packed_rows.ts';
import { RowSequences } from './rows/row_sequences.ts';
import type { Sequence } from './sequence.ts';
import { windowOf } from './text_sequences.ts';
import { windowStarts } from './windows.ts';

/** Sequences that a corpus has for an evaluation, in its own order. */
export interface EvaluatedSource {
  readonly available: number;
  at(index: number): Sequence;
}

/** Sequences that can be scored, by number. */
export interface EvaluatedSequences {
  readonly count: number;
  /** The sequence of a number below `count`. Throws `DamagedPack`. */
  at(n: number): DrawnSequence;
}

/** Windows of a text's part. */
export function evaluatedText(corpus: PackedCorpus, part: RowsPart, length: number): EvaluatedSource {
  const starts = windowStarts(corpus[part], length + 1);
  const at = (index: number): Sequence =>
    windowOf(Int32Array.from(corpus.read(starts[index], starts[index] + length + 1)));
  return { available: starts.length, at };
}

/** Rows of a part. */
export function evaluatedRows(rows: PackedRows, part: RowsPart): EvaluatedSource {
  const sequences = new RowSequences(rows, part, null);
  return { available: sequences.count, at: (index) => sequences.sequence(index) };
}

/** All sequences of all sources, one source after the other. */
export class AllSequences implements EvaluatedSequences {
  readonly count: number;
  readonly #sources: readonly EvaluatedSource[];

  constructor(sources: readonly EvaluatedSource[]) {
    this.count = sources.reduce((sum, { available }) => sum + available, 0);
    this.#sources = sources;
  }

  at(n: number): DrawnSequence {
    let index = n;
    for (const [corpus, source] of this.#sources.entries()) {
      if (index < source.available) return { corpus, sequence: source.at(index) };
      index -= source.available;
    }
    throw new RangeError(`sequence ${n} of ${this.count}`);
  }
}

export class HeldOutSequences implements EvaluatedSequences {
  /** How many were wished for. */
  readonly asked: number;
  /** How many there are: fewer where a corpus has not held out so many. */
  readonly count: number;
  readonly #sources: readonly EvaluatedSource[];
  readonly #kept: readonly { readonly corpus: number; readonly ordinal: number }[];
  readonly #rows: readonly number[];

  /** `shares` go with `sources`. */
  constructor(sources: readonly EvaluatedSource[], shares: readonly number[], asked: number) {
    const allotment = new Allotment(shares);
    const draws = Array.from({ length: asked }, (_, n) => allotment.at(n));
    this.#rows = sources.map(({ available }, corpus) =>
      Math.min(available, draws.filter((draw) => draw.corpus === corpus).length),
    );
    this.#kept = draws.filter(({ corpus, ordinal }) => ordinal < this.#rows[corpus]);
    this.#sources = sources;
    this.asked = asked;
    this.count = this.#kept.length;
  }

  /** The sequence of a number below `count`; any first part of them is blended as well. */
  at(n: number): DrawnSequence {
    const { corpus, ordinal } = this.#kept[n];
    const source = this.#sources[corpus];
    // The middle of the ordinal-th of as many equal parts as there are rows.
    const index = Math.floor(((2 * ordinal + 1) * source.available) / (2 * this.#rows[corpus]));
    return { corpus, sequence: source.at(index) };
  }
}
