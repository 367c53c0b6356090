/**
 * Sequences of packed samples: in each epoch every sequence once, in an order drawn for the epoch. A token's target is the one
 * that follows it in its sample, if that is learnt; the last one of a sample predicts nothing.
 */
import { BadBlend } from '../errors.ts';
import { hashText, hashU32, wordsOf } from '../hash.ts';
import { permuted } from '../permutation.ts';
import type { Sequence, SequenceSource } from '../sequence.ts';
import type { PackedRows, RowsPart } from './packed_rows.ts';

/** The sequences of a corpus' training rows. Throws `BadBlend` where it has none. */
export function rowSequences(rows: PackedRows, seed: number): RowSequences {
  const sequences = new RowSequences(rows, 'train', seed);
  if (sequences.count === 0) {
    throw new BadBlend(`corpus '${rows.name}' has no row to train on`, 'give it more rows, or lower data.held_out');
  }
  return sequences;
}

/** What the words of the hash are for. */
const ROW_ORDER = 3;

export class RowSequences implements SequenceSource {
  readonly name: string;
  readonly count: number;
  readonly #rows: PackedRows;
  readonly #part: RowsPart;
  readonly #key: number | null;

  /** `seed` is below 2^53; null leaves the sequences in their own order. */
  constructor(rows: PackedRows, part: RowsPart, seed: number | null) {
    this.name = rows.name;
    this.count = rows.sequencesOf(part);
    this.#rows = rows;
    this.#part = part;
    this.#key = seed === null ? null : hashU32(...wordsOf(seed), hashText(rows.name));
  }

  weightOf(ordinal: number): number {
    const { labels } = this.#rows.index;
    const weights = this.#samples(ordinal).map((sample) =>
      labels === 0 ? sample.targets : sample.labels.reduce((sum, label) => sum + Number(!Number.isNaN(label)), 0),
    );
    return weights.reduce((sum, weight) => sum + weight, 0);
  }

  sequence(ordinal: number): Sequence {
    const samples = this.#samples(ordinal);
    const length = samples.reduce((sum, sample) => sum + sample.length, 0);
    const tokens = new Int32Array(length);
    const targets = new Int32Array(length).fill(-1);
    const begins = new Int32Array(length);
    let at = 0;
    for (const sample of samples) {
      const read = this.#rows.read(sample);
      tokens.set(read.tokens, at);
      begins.fill(at, at, at + sample.length);
      for (let i = 1; i < sample.length; i++) if (read.trained[i] === 1) targets[at + i - 1] = read.tokens[i];
      at += sample.length;
    }
    return { tokens, targets, begins, labels: samples[0].labels.length === 0 ? null : samples[0].labels };
  }

  #samples(ordinal: number): ReturnType<PackedRows['samplesOf']> {
    const epoch = Math.floor(ordinal / this.count);
    const within = ordinal % this.count;
    const sequence =
      this.#key === null ? within : permuted(within, this.count, hashU32(this.#key, ROW_ORDER, ...wordsOf(epoch)));
    return this.#rows.samplesOf(this.#part, sequence);
  }
}
