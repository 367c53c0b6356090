/** The held-out sequences: fixed, blended by weight, spread out, and honest about how many there are. */
import { describe, expect, it } from 'vitest';
import { BLOCK_TOKENS, Blend, PackedCorpus } from '../../src/data/index.ts';
import { hashU32 } from '../../src/data/hash.ts';
import { allOf, corpusOf } from './scratch.ts';

/** Random bytes, so that a window is found again by its content. */
const noise = (name: string, blocks: number, fraction: number): PackedCorpus =>
  corpusOf(
    name,
    Uint8Array.from({ length: blocks * BLOCK_TOKENS }, (_, i) => hashU32(blocks, i) & 255),
    fraction,
  );

describe('held-out sequences', () => {
  const corpora = [noise('docs', 40, 0.2), noise('code', 30, 0.2)];
  const make = (seed: number): Blend => new Blend(corpora, [0.75, 0.25], seed);

  /** Each as its corpus and its tokens, with the one that follows. */
  const allOfBlend = (blend: Blend, length: number, count: number) => {
    const heldOut = blend.heldOut(length, count);
    return Array.from({ length: heldOut.count }, (_, n) => {
      const { corpus, sequence } = heldOut.at(n);
      return { corpus, window: [...sequence.tokens, sequence.targets[sequence.targets.length - 1]] };
    });
  };

  it('are the same for every seed', () => {
    expect(allOfBlend(make(1), 64, 40)).toEqual(allOfBlend(make(2), 64, 40));
  });

  it('are blended by weight, also in every first part', () => {
    const all = allOfBlend(make(1), 64, 40);
    expect(all).toHaveLength(40);
    for (let first = 4; first <= 40; first += 4) {
      expect(all.slice(0, first).filter(({ corpus }) => corpus === 0).length).toBe(0.75 * first);
    }
  });

  it('come from held-out blocks only, no window twice, and from every block', () => {
    const width = 129;
    const used = corpora.map(() => new Set<number>());
    for (const { corpus, window } of allOfBlend(make(1), width - 1, 400)) {
      const at = Buffer.from(allOf(corpora[corpus])).indexOf(Buffer.from(window));
      expect(corpora[corpus].heldOut.some(({ begin, end }) => begin <= at && at + width <= end)).toBe(true);
      used[corpus].add(at);
    }
    expect(used.map((starts) => starts.size)).toEqual([300, 100]);
    for (const [i, { heldOut }] of corpora.entries()) {
      const blocks = new Set([...used[i]].map((start) => Math.floor(start / BLOCK_TOKENS)));
      expect(blocks.size).toBe(heldOut.reduce((sum, run) => sum + (run.end - run.begin) / BLOCK_TOKENS, 0));
    }
  });

  it('are fewer where the blocks have no more, and say so', () => {
    const small = new Blend([noise('docs', 3, 1e-9), noise('code', 1, 0.5)], [1, 1], 1);
    const { asked, count } = small.heldOut(1023, 60);
    expect([asked, count]).toEqual([60, 4]);
    expect(allOfBlend(small, 1023, 60).map(({ corpus }) => corpus)).toEqual([0, 0, 0, 0]);
  });
});
