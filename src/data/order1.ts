/**
 * The baseline that a trained model must beat: the order-1 model, which predicts a token from the one before it by
 * counting pairs. It is fitted on the part of the blend that training sees, with each corpus counted at its weight, so
 * that it knows the same mixture.
 */
import type { Blend } from './blend.ts';
import { BadBlend } from './errors.ts';
import type { HeldOutSequences } from './held_out_sequences.ts';

/** The table of pairs has this many rows and columns at most. */
const MAX_VOCAB = 512;

/** Tokens read at once. */
const READ_TOKENS = 2 ** 20;

export class Order1 {
  readonly vocabSize: number;
  /** `[vocab, vocab]`: how often, weighted, `next` followed `previous`. */
  readonly #counts: Float64Array;
  /** `[vocab]`: sums of the rows of counts. */
  readonly #rowSums: Float64Array;

  /** Over a table of pair counts `[vocab, vocab]`. */
  constructor(vocabSize: number, counts: Float64Array) {
    this.vocabSize = vocabSize;
    this.#counts = counts;
    this.#rowSums = Float64Array.from({ length: vocabSize }, (_, previous) =>
      counts.subarray(previous * vocabSize, (previous + 1) * vocabSize).reduce((sum, c) => sum + c, 0),
    );
  }

  /**
   * Fits the train part of a blend; throws `BadBlend` for a vocabulary above 512.
   *
   * A corpus with share w and n train tokens counts each of its pairs as `w N / n`, where N is the train tokens of all
   * corpora: the mixture is the blend's, and one token of smoothing weighs as much as one token of text.
   */
  static fit(blend: Blend): Order1 {
    const { vocabSize, corpora, shares } = blend;
    if (vocabSize > MAX_VOCAB) {
      throw new BadBlend(`an order-1 table of ${vocabSize} tokens is too large`, `use a vocabulary up to ${MAX_VOCAB}`);
    }
    const total = corpora.reduce((sum, corpus) => sum + corpus.trainTokens, 0);
    const counts = new Float64Array(vocabSize * vocabSize);
    for (const [i, corpus] of corpora.entries()) {
      const { train, trainTokens } = corpus;
      if (shares[i] === 0 || trainTokens === 0) continue;
      const pairs = new Uint32Array(vocabSize * vocabSize);
      for (const { begin, end } of train) {
        for (let from = begin; from + 1 < end; from += READ_TOKENS) {
          const tokens = corpus.read(from, Math.min(from + READ_TOKENS + 1, end));
          for (let at = 1; at < tokens.length; at++) pairs[tokens[at - 1] * vocabSize + tokens[at]]++;
        }
      }
      const weight = (shares[i] * total) / trainTokens;
      for (let pair = 0; pair < pairs.length; pair++) counts[pair] += weight * pairs[pair];
    }
    return new Order1(vocabSize, counts);
  }

  /** Loss of predicting `next` after `previous`, in nats: add-one smoothing, `-ln((count + 1) / (row + vocab))`. */
  nats(previous: number, next: number): number {
    const count = this.#counts[previous * this.vocabSize + next];
    return -Math.log((count + 1) / (this.#rowSums[previous] + this.vocabSize));
  }

  /** Mean loss in nats a token over the targets of sequences of text. NaN where there are none. */
  loss(heldOut: Pick<HeldOutSequences, 'count' | 'at'>): number {
    let [sum, count] = [0, 0];
    for (let n = 0; n < heldOut.count; n++) {
      const { tokens, targets } = heldOut.at(n).sequence;
      for (let t = 0; t < tokens.length; t++) sum += this.nats(tokens[t], targets[t]);
      count += tokens.length;
    }
    return sum / count;
  }
}
