/**
 * What evaluation sees: up to so many sequences that training never touches, allotted to the corpora by weight and spread evenly
 * over what each has. The same for every seed.
 */
import { Allotment } from './allotment.ts';
import type { DrawnSequence } from './draws.ts';
import type { PackedCorpus } from './packed_corpus.ts';
import type { PackedRows } from './rows/packed_rows.ts';
import { RowSequences } from './rows/row_sequences.ts';
import type { Sequence } from './sequence.ts';
import { windowOf } from './text_sequences.ts';
import { windowStarts } from './windows.ts';

/** What a corpus has held out. */
export interface HeldOutSource {
  readonly available: number;
  at(index: number): Sequence;
}

export function heldOutText(corpus: PackedCorpus, length: number): HeldOutSource {
  const starts = windowStarts(corpus.heldOut, length + 1);
  const at = (index: number): Sequence =>
    windowOf(Int32Array.from(corpus.read(starts[index], starts[index] + length + 1)));
  return { available: starts.length, at };
}

export function heldOutRows(rows: PackedRows): HeldOutSource {
  const sequences = new RowSequences(rows, 'heldOut', null);
  return { available: sequences.count, at: (index) => sequences.sequence(index) };
}

export class HeldOutSequences {
  /** How many were wished for. */
  readonly asked: number;
  /** How many there are: fewer where a corpus has not held out so many. */
  readonly count: number;
  readonly #sources: readonly HeldOutSource[];
  readonly #kept: readonly { readonly corpus: number; readonly ordinal: number }[];
  readonly #rows: readonly number[];

  /** `shares` go with `sources`. */
  constructor(sources: readonly HeldOutSource[], shares: readonly number[], asked: number) {
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
