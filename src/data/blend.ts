/**
 * Several packed corpora drawn from by weight. Training has no position in the data: sequence n of a run is a pure
 * function of (corpus digests, weights, seed, n), with n = data step x global batch size + row. So any rank can make any
 * microbatch, before or after a crash, in any order, and all agree.
 */
import { createHash } from 'node:crypto';
import { Allotment } from './allotment.ts';
import { BadBlend } from './errors.ts';
import { HeldOutSequences, evaluatedText } from './held_out_sequences.ts';
import type { PackedCorpus } from './packed_corpus.ts';

export class Blend {
  readonly corpora: readonly PackedCorpus[];
  /** Shares of the corpora, normalised to a sum of 1. */
  readonly shares: readonly number[];
  readonly seed: number;
  /** sha256 over the corpora's names, digests and weights, in order: the corpus digest of a run. */
  readonly digest: string;
  readonly vocabSize: number;

  /** `weights` go with `corpora`; the seed is a non-negative integer below 2^53. Throws `BadBlend`. */
  constructor(corpora: readonly PackedCorpus[], weights: readonly number[], seed: number) {
    checkBlend(corpora, weights, seed);
    this.corpora = corpora;
    this.seed = seed;
    this.vocabSize = corpora[0].index.vocabSize;
    this.shares = new Allotment(weights).shares;
    this.digest = blendDigest(corpora, weights);
  }

  /** Up to `count` fixed sequences that training never touches; the same for every seed. */
  heldOut(length: number, count: number): HeldOutSequences {
    return new HeldOutSequences(
      this.corpora.map((corpus) => evaluatedText(corpus, 'heldOut', length)),
      this.shares,
      count,
    );
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
