/** The held-out windows: fixed, blended by weight, spread out, and honest about how many there are. */
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

describe('held-out windows', () => {
  const corpora = [noise('docs', 40, 0.2), noise('code', 30, 0.2)];
  const make = (seed: number): Blend => new Blend(corpora, [0.75, 0.25], seed);

  it('are the same for every seed', () => {
    expect(make(1).heldOutWindows(64, 40)).toEqual(make(2).heldOutWindows(64, 40));
  });

  it('are blended by weight, also in every first part', () => {
    const { rows, corpusOfRow, corpora: counts } = make(1).heldOutWindows(64, 40);
    expect(rows).toBe(40);
    expect(counts.map((corpus) => corpus.rows)).toEqual([30, 10]);
    for (let first = 4; first <= 40; first += 4) {
      expect(corpusOfRow.slice(0, first).filter((corpus) => corpus === 0).length).toBe(0.75 * first);
    }
  });

  it('come from held-out blocks only, no window twice, and from every block', () => {
    const width = 129;
    const { tokens, rows, corpusOfRow } = make(1).heldOutWindows(width - 1, 400);
    const used = corpora.map(() => new Set<number>());
    for (let row = 0; row < rows; row++) {
      const window = Buffer.from(tokens.subarray(row * width, (row + 1) * width));
      const corpus = corpora[corpusOfRow[row]];
      const at = Buffer.from(allOf(corpus)).indexOf(window);
      expect(corpus.heldOut.some(({ begin, end }) => begin <= at && at + width <= end)).toBe(true);
      used[corpusOfRow[row]].add(at);
    }
    expect(used.map((starts) => starts.size)).toEqual([300, 100]);
    for (const [i, { heldOut }] of corpora.entries()) {
      const blocks = new Set([...used[i]].map((start) => Math.floor(start / BLOCK_TOKENS)));
      expect(blocks.size).toBe(heldOut.reduce((sum, run) => sum + (run.end - run.begin) / BLOCK_TOKENS, 0));
    }
  });

  it('are fewer where the blocks have no more, and say so', () => {
    const small = new Blend([noise('docs', 3, 1e-9), noise('code', 1, 0.5)], [1, 1], 1);
    const windows = small.heldOutWindows(1023, 60);
    expect([windows.asked, windows.rows, windows.tokens.length]).toEqual([60, 4, 4 * 1024]);
    expect(windows.corpora).toEqual([
      { name: 'docs', asked: 30, available: 4, rows: 4 },
      { name: 'code', asked: 30, available: 0, rows: 0 },
    ]);
  });
});
