/** Batches are pure: any step and any microbatch, in any order, from equal corpora, is the same. */
import { describe, expect, it } from 'vitest';
import {
  BLOCK_TOKENS,
  BadBlend,
  Blend,
  memoryStream,
  PackedCorpus,
  Draws,
  textSequences,
} from '../../src/data/index.ts';
import { TrainWindows } from '../../src/data/windows.ts';
import { hashU32 } from '../../src/data/hash.ts';
import { allOf, constantCorpus, corpusOf, thrownBy } from './scratch.ts';

/** Random bytes, so that every window is another. */
const noise = (name: string, blocks: number, salt: number): PackedCorpus =>
  corpusOf(
    name,
    Uint8Array.from({ length: blocks * BLOCK_TOKENS }, (_, i) => 1 + (hashU32(salt, i) % 255)),
  );

/** What training draws from a blend. */
const drawsOf = ({ corpora, shares, seed }: Blend, length: number): Draws =>
  new Draws(
    corpora.map((corpus) => textSequences(corpus, length, seed)),
    shares,
  );

/** Tokens of a batch of `rows` sequences, each with the one that follows it. */
const batchOf = (blend: Blend, step: number, rows = 12, length = 64): number[] => {
  const draws = drawsOf(blend, length);
  return Array.from({ length: rows }, (_, row) => windowAt(draws, step * rows + row)).flat();
};

const windowAt = (draws: Draws, n: number): number[] => {
  const { tokens, targets } = draws.at(n).sequence;
  return [...tokens, targets[targets.length - 1]];
};

describe('blend', () => {
  const corpora = [noise('docs', 12, 1), noise('code', 20, 2), noise('mail', 4, 3)];
  const make = (seed = 7): Blend => new Blend(corpora, [0.5, 0.3, 0.2], seed);

  it('gives the same batches in any order, from any instance', () => {
    const steps = [0, 1, 2, 57, 911, 5000];
    const blend = make();
    const forward = steps.map((step) => batchOf(blend, step));
    const draws = drawsOf(make(), 64);
    const backward = steps
      .toReversed()
      .map((step) => Array.from({ length: 12 }, (_, row) => windowAt(draws, step * 12 + row)).flat());
    expect(backward.reverse()).toEqual(forward);
  });

  it('gives sequences whose targets are the tokens that follow', () => {
    const { tokens, targets, begins, labels } = drawsOf(make(), 64).at(9).sequence;
    expect(tokens).toHaveLength(64);
    expect([...targets.subarray(0, -1)]).toEqual([...tokens.subarray(1)]);
    expect([begins, labels]).toEqual([null, null]);
  });

  it('draws corpora by weight', () => {
    const plain = new Blend([constantCorpus('a', 9000, 1), constantCorpus('b', 9000, 2)], [3, 1], 1);
    const batch = batchOf(plain, 5, 100, 9);
    expect(batch.filter((token) => token === 1).length).toBe(750);
    expect(batch.filter((token) => token === 2).length).toBe(250);
  });

  it('gives other batches to another seed', () => {
    expect(batchOf(make(8), 0)).not.toEqual(batchOf(make(7), 0));
  });

  it('never trains on a token that is held out, over many epochs and lengths', () => {
    for (const sequenceLength of [7, 64, 1000]) {
      const trained = corpora.map((corpus) => new Uint8Array(corpus.index.tokenCount));
      for (const [corpus, { name, train }] of corpora.entries()) {
        const windows = new TrainWindows(name, train, sequenceLength + 1, 7);
        for (let ordinal = 0; ordinal < 3000; ordinal++) {
          const start = windows.start(ordinal);
          trained[corpus].fill(1, start, start + sequenceLength + 1);
        }
      }
      for (const [i, { heldOut }] of corpora.entries()) {
        expect(heldOut.length).toBeGreaterThan(0);
        for (const { begin, end } of heldOut) expect(trained[i].subarray(begin, end).includes(1)).toBe(false);
      }
    }
  });

  it('uses each training token of a corpus at most once in an epoch, and nearly all', () => {
    const uses = new Uint8Array(corpora[0].index.tokenCount);
    const runs = corpora[0].train;
    const windows = new TrainWindows('docs', runs, 65, 7);
    for (let n = 0; n < windows.count; n++) {
      const start = windows.start(n);
      for (let at = start; at < start + 65; at++) uses[at]++;
    }
    expect(uses.reduce((a, b) => Math.max(a, b))).toBe(1);
    expect(uses.reduce((a, b) => a + b)).toBeGreaterThan(corpora[0].trainTokens - runs.length * 130);
  });

  it('has a digest of names, contents and weights, but not of the seed', () => {
    const digest = new Blend(corpora, [0.5, 0.3, 0.2], 7).digest;
    expect(new Blend(corpora, [0.5, 0.3, 0.2], 8).digest).toBe(digest);
    expect(new Blend(corpora, [0.5, 0.2, 0.3], 7).digest).not.toBe(digest);
    expect(new Blend(corpora.toReversed(), [0.5, 0.3, 0.2], 7).digest).not.toBe(digest);
    expect(new Blend([corpora[0], noise('code', 20, 9), corpora[2]], [0.5, 0.3, 0.2], 7).digest).not.toBe(digest);
  });

  it.each([
    ['no corpus', (): unknown => new Blend([], [], 1), 'it has no corpus'],
    ['a weight too few', (): unknown => new Blend(corpora, [1, 1], 1), '3 corpora have 2 weights'],
    ['a negative weight', (): unknown => new Blend(corpora, [1, -1, 1], 1), "corpus 'code' has weight -1"],
    ['no weight above 0', (): unknown => new Blend(corpora, [0, 0, 0], 1), "corpus 'docs' has weight 0"],
    ['one name twice', (): unknown => new Blend([corpora[0], corpora[0]], [1, 1], 1), "two corpora are named 'docs'"],
    ['a seed that is no integer', (): unknown => make(0.5), 'seed 0.5 is no non-negative integer'],
    ['no sequence so long', (): unknown => drawsOf(make(), 300_000), "corpus 'docs' has"],
  ])('refuses %s', (_, action, reason) => {
    const error = thrownBy(action);
    expect(error).toBeInstanceOf(BadBlend);
    expect(error).toHaveProperty('message', expect.stringContaining(reason));
  });

  it('refuses corpora of two tokenizers', () => {
    const { index } = corpora[1];
    const other = new PackedCorpus({ ...index, tokenizer: 'hf:x', vocabSize: 300 }, memoryStream(allOf(corpora[1])));
    const error = thrownBy(() => new Blend([corpora[0], other], [1, 1], 1));
    expect(error).toHaveProperty(
      'message',
      expect.stringContaining('packed by bytes of 256 tokens and hf:x of 300 tokens'),
    );
  });
});
