/**
 * Several packed corpora drawn from by weight. Training has no position in the data: sequence n of a run is a pure
 * function of (corpus digests, weights, seed, n), with n = data step x global batch size + row. So any rank can make any
 * microbatch, before or after a crash, in any order, and all agree.
 */
import { createHash } from 'node:crypto';
import { Allotment } from './allotment.ts';
import { BadBlend } from './errors.ts';
import { heldOutWindows } from './evaluation.ts';
import type { HeldOutWindows } from './evaluation.ts';
import type { PackedCorpus } from './packed_corpus.ts';
import { TrainWindows } from './windows.ts';

export interface BatchShape {
  readonly globalBatchSize: number;
  readonly sequenceLength: number;
}

export interface MicrobatchShape extends BatchShape {
  /** Microbatches of the whole step, over all data-parallel ranks. */
  readonly microbatches: number;
}

/** Where a training sequence lies: tokens `[start, start + T + 1)` of the stream of corpus `corpus`. */
export interface SequenceOrigin {
  readonly corpus: number;
  readonly start: number;
}

export class Blend {
  readonly corpora: readonly PackedCorpus[];
  /** Shares of the corpora, normalised to a sum of 1. */
  readonly shares: readonly number[];
  readonly seed: number;
  /** sha256 over the corpora's names, digests and weights, in order: the corpus digest of a run. */
  readonly digest: string;
  readonly vocabSize: number;
  readonly #allotment: Allotment;
  readonly #windows = new Map<number, readonly TrainWindows[]>();

  /** `weights` go with `corpora`; the seed is a non-negative integer below 2^53. Throws `BadBlend`. */
  constructor(corpora: readonly PackedCorpus[], weights: readonly number[], seed: number) {
    checkBlend(corpora, weights, seed);
    this.corpora = corpora;
    this.seed = seed;
    this.vocabSize = corpora[0].index.vocabSize;
    this.#allotment = new Allotment(weights);
    this.shares = this.#allotment.shares;
    this.digest = blendDigest(corpora, weights);
  }

  /** Throws `BadBlend` where a corpus has no room for a sequence of `sequenceLength` tokens: before a run, not in it. */
  assertRoom(sequenceLength: number): void {
    this.#windowsOf(sequenceLength);
  }

  /** Where sequence `n` of the run lies, for sequences of `sequenceLength` tokens; throws `BadBlend`. */
  origin(n: number, sequenceLength: number): SequenceOrigin {
    const { corpus, ordinal } = this.#allotment.at(n);
    return { corpus, start: this.#windowsOf(sequenceLength)[corpus].start(ordinal) };
  }

  /** Tokens of a whole step, `[global batch size, T + 1]` row by row. */
  batch(step: number, shape: BatchShape): Int32Array<ArrayBuffer> {
    return this.microbatch(step, 0, { ...shape, microbatches: 1 });
  }

  /** Tokens of global microbatch g of a step: rows `[g B / m, (g + 1) B / m)` of the batch, each of T + 1 tokens. */
  microbatch(step: number, globalMicrobatch: number, shape: MicrobatchShape): Int32Array<ArrayBuffer> {
    const { globalBatchSize, microbatches, sequenceLength } = shape;
    if (globalBatchSize % microbatches !== 0) {
      const reason = `a batch of ${globalBatchSize} sequences does not divide into ${microbatches} microbatches`;
      throw new BadBlend(reason, 'choose a multiple as global_batch_size');
    }
    if (!Number.isSafeInteger(step) || step < 0) throw new RangeError(`data step ${step} is no step`);
    if (!(globalMicrobatch >= 0 && globalMicrobatch < microbatches)) {
      throw new RangeError(`microbatch ${globalMicrobatch} is not below ${microbatches}`);
    }
    const rows = globalBatchSize / microbatches;
    const width = sequenceLength + 1;
    const tokens = new Int32Array(rows * width);
    const first = step * globalBatchSize + globalMicrobatch * rows;
    for (let row = 0; row < rows; row++) {
      const { corpus, start } = this.origin(first + row, sequenceLength);
      tokens.set(this.corpora[corpus].read(start, start + width), row * width);
    }
    return tokens;
  }

  /** Up to `count` fixed windows that no training sequence touches; the same for every seed. */
  heldOutWindows(sequenceLength: number, count: number): HeldOutWindows {
    return heldOutWindows(this.corpora, this.shares, sequenceLength, count);
  }

  #windowsOf(sequenceLength: number): readonly TrainWindows[] {
    const known = this.#windows.get(sequenceLength);
    if (known !== undefined) return known;
    const width = sequenceLength + 1;
    const windows = this.corpora.map(({ name, train }) => new TrainWindows(name, train, width, this.seed));
    const short = windows.findIndex((all, corpus) => all.count === 0 && this.shares[corpus] > 0);
    if (short >= 0) {
      const { name, trainTokens } = this.corpora[short];
      const reason = `corpus '${name}' has ${trainTokens} tokens to train on, no ${width} of them in a row`;
      throw new BadBlend(reason, 'give it more text or shorten training.sequence_length');
    }
    this.#windows.set(sequenceLength, windows);
    return windows;
  }
}

/** A packed corpus, of texts or of rows, as a blend sees it. */
export interface BlendedCorpus {
  readonly name: string;
  readonly digest: string;
  readonly index: { readonly tokenizer: string; readonly vocabSize: number };
}

/** sha256 over the corpora's names, digests and weights, in order: the corpus digest of a run. */
export function blendDigest(corpora: readonly BlendedCorpus[], weights: readonly number[]): string {
  const parts = corpora.map((corpus, i) => [corpus.name, corpus.digest, weights[i]]);
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}

/** Throws `BadBlend` for corpora that cannot be drawn from by these weights. */
export function checkBlend(corpora: readonly BlendedCorpus[], weights: readonly number[], seed: number): void {
  if (corpora.length === 0) throw new BadBlend('it has no corpus', 'list one under data.blend');
  if (weights.length !== corpora.length) {
    throw new BadBlend(`${corpora.length} corpora have ${weights.length} weights`, 'give each corpus one weight');
  }
  const wrong = weights.findIndex((weight) => !(weight >= 0 && weight < Infinity));
  if (wrong >= 0 || !weights.some((weight) => weight > 0)) {
    const at = Math.max(wrong, 0);
    throw new BadBlend(`corpus '${corpora[at].name}' has weight ${weights[at]}`, 'give weights above 0');
  }
  const twice = corpora.findIndex(({ name }, i) => corpora.findIndex((other) => other.name === name) < i);
  if (twice >= 0) throw new BadBlend(`two corpora are named '${corpora[twice].name}'`, 'give each its own name');
  const tokenizers = new Set(corpora.map(({ index }) => `${index.tokenizer} of ${index.vocabSize} tokens`));
  if (tokenizers.size > 1) {
    throw new BadBlend(`its corpora are packed by ${[...tokenizers].join(' and ')}`, 'pack all with one tokenizer');
  }
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw new BadBlend(`seed ${seed} is no non-negative integer`, 'choose training.seed from 0 up');
  }
}
