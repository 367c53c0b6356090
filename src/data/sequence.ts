/**
 * A sequence is what a batch has one of in each of its rows: at most so many tokens, what is to be predicted behind each, and
 * where the sample of each token begins. A source has them by number, for as many epochs as are asked for, and says what a
 * sequence counts without reading it. T tokens of a full sequence.
 */

export interface Sequence {
  /** i32, up to [T]. */
  readonly tokens: Int32Array;
  /** The token that follows each; −1 where none is to be predicted. */
  readonly targets: Int32Array;
  /** Where in the sequence the sample of each token begins; null where the sequence is one sample. */
  readonly begins: Int32Array | null;
  /** Labels of the sequence as a whole, NaN where there is none; null where sequences of the source have no labels. */
  readonly labels: Float32Array | null;
}

export interface SequenceSource {
  readonly name: string;
  /** Sequences of an epoch. */
  readonly count: number;
  /** Targets of a sequence, or labels. */
  weightOf(ordinal: number): number;
  /** The `ordinal`-th sequence ever drawn: a pure function of source, seed and number. Throws `DamagedPack`. */
  sequence(ordinal: number): Sequence;
}
