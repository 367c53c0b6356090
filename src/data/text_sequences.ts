/** Sequences of a packed text: windows that cover it once an epoch, each token but a window's first a target. */
import { BadBlend } from './errors.ts';
import type { PackedCorpus } from './packed_corpus.ts';
import type { Sequence, SequenceSource } from './sequence.ts';
import { TrainWindows } from './windows.ts';

export class TextSequences implements SequenceSource {
  readonly name: string;
  readonly count: number;
  readonly #corpus: PackedCorpus;
  readonly #windows: TrainWindows;
  readonly #length: number;

  /** `windows` are of `length` + 1 tokens. */
  constructor(corpus: PackedCorpus, windows: TrainWindows, length: number) {
    this.name = corpus.name;
    this.count = windows.count;
    this.#corpus = corpus;
    this.#windows = windows;
    this.#length = length;
  }

  weightOf(): number {
    return this.#length;
  }

  sequence(ordinal: number): Sequence {
    const start = this.#windows.start(ordinal);
    return windowOf(Int32Array.from(this.#corpus.read(start, start + this.#length + 1)));
  }
}

/** The sequences of a corpus' training text. Throws `BadBlend` where it has no room for one. */
export function textSequences(corpus: PackedCorpus, length: number, seed: number): TextSequences {
  const { name, train, trainTokens } = corpus;
  const windows = new TrainWindows(name, train, length + 1, seed);
  if (windows.count === 0) {
    const reason = `corpus '${name}' has ${trainTokens} tokens to train on, no ${length + 1} of them in a row`;
    throw new BadBlend(reason, 'give it more text or shorten training.sequence_length');
  }
  return new TextSequences(corpus, windows, length);
}

/** A window of T + 1 tokens as T inputs and their successors. */
export const windowOf = (window: Int32Array): Sequence => ({
  tokens: window.subarray(0, -1),
  targets: window.subarray(1),
  begins: null,
  labels: null,
});
