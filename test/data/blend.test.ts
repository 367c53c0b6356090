/** Batches are pure: any step and any microbatch, in any order, from equal corpora, is the same. */
import { describe, expect, it } from 'vitest';
import { BLOCK_TOKENS, BadBlend, Blend, memoryStream, PackedCorpus } from '../../src/data/index.ts';
import { hashU32 } from '../../src/data/hash.ts';
import { allOf, constantCorpus, corpusOf, thrownBy } from './scratch.ts';

/** Random bytes, so that every window is another. */
const noise = (name: string, blocks: number, salt: number): PackedCorpus =>
  corpusOf(
    name,
    Uint8Array.from({ length: blocks * BLOCK_TOKENS }, (_, i) => 1 + (hashU32(salt, i) % 255)),
  );

const SHAPE = { globalBatchSize: 12, sequenceLength: 64 };

describe('blend', () => {
  const corpora = [noise('docs', 12, 1), noise('code', 20, 2), noise('mail', 4, 3)];
  const make = (seed = 7): Blend => new Blend(corpora, [0.5, 0.3, 0.2], seed);

  it('gives the same batches in any order, from any instance', () => {
    const steps = [0, 1, 2, 57, 911, 5000];
    const blend = make();
    const forward = steps.map((step) => blend.batch(step, SHAPE));
    const other = make();
    const backward = steps.toReversed().map((step) => other.batch(step, SHAPE));
    expect(backward.reverse()).toEqual(forward);
    expect(make().batch(911, SHAPE)).toEqual(forward[4]);
  });

  it('cuts a batch into microbatches of consecutive rows', () => {
    const blend = make();
    const batch = blend.batch(3, SHAPE);
    for (const microbatches of [1, 2, 3, 4, 12]) {
      const parts = Array.from({ length: microbatches }, (_, g) => blend.microbatch(3, g, { ...SHAPE, microbatches }));
      expect(parts.flatMap((part) => [...part])).toEqual([...batch]);
    }
  });

  it('numbers sequences across steps, so that a batch size only regroups them', () => {
    const blend = make();
    const two = [
      ...blend.batch(4, { ...SHAPE, globalBatchSize: 6 }),
      ...blend.batch(5, { ...SHAPE, globalBatchSize: 6 }),
    ];
    expect(two).toEqual([...blend.batch(2, SHAPE)]);
  });

  it('takes rows of T + 1 tokens from where it says they lie', () => {
    const blend = make();
    const batch = blend.batch(9, SHAPE);
    for (let row = 0; row < 12; row++) {
      const { corpus, start } = blend.origin(9 * 12 + row, 64);
      expect([...batch.subarray(row * 65, (row + 1) * 65)]).toEqual([...corpora[corpus].read(start, start + 65)]);
    }
  });

  it('draws corpora by weight', () => {
    const plain = new Blend([constantCorpus('a', 9000, 1), constantCorpus('b', 9000, 2)], [3, 1], 1);
    const batch = plain.batch(5, { globalBatchSize: 100, sequenceLength: 9 });
    expect(batch.filter((token) => token === 1).length).toBe(750);
    expect(batch.filter((token) => token === 2).length).toBe(250);
  });

  it('gives other batches to another seed', () => {
    expect(make(8).batch(0, SHAPE)).not.toEqual(make(7).batch(0, SHAPE));
  });

  it('never trains on a token that is held out, over many epochs and lengths', () => {
    const blend = make();
    for (const sequenceLength of [7, 64, 1000]) {
      const trained = corpora.map((corpus) => new Uint8Array(corpus.index.tokenCount));
      for (let n = 0; n < 6000; n++) {
        const { corpus, start } = blend.origin(n, sequenceLength);
        trained[corpus].fill(1, start, start + sequenceLength + 1);
      }
      for (const [i, { heldOut }] of corpora.entries()) {
        expect(heldOut.length).toBeGreaterThan(0);
        for (const { begin, end } of heldOut) expect(trained[i].subarray(begin, end).includes(1)).toBe(false);
      }
    }
  });

  it('uses each training token of a corpus at most once in an epoch, and nearly all', () => {
    const blend = new Blend([corpora[0]], [1], 7);
    const uses = new Uint8Array(corpora[0].index.tokenCount);
    const runs = corpora[0].train;
    const windows = runs.reduce((sum, { begin, end }) => sum + Math.floor((end - begin - 64) / 65), 0);
    for (let n = 0; n < windows; n++) {
      const { start } = blend.origin(n, 64);
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
    [
      'no window so long',
      (): unknown => make().batch(0, { globalBatchSize: 4, sequenceLength: 300_000 }),
      "corpus 'docs' has",
    ],
    [
      'microbatches that do not divide the batch',
      (): unknown => make().microbatch(0, 0, { ...SHAPE, microbatches: 5 }),
      'a batch of 12 sequences does not divide into 5 microbatches',
    ],
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
