/** Which blocks are held out: by hash, the same for ever, at least one, never all. */
import { describe, expect, it } from 'vitest';
import { BLOCK_TOKENS, blockTokensFor, splitHeldOut } from '../../src/data/index.ts';
import type { HeldOutSplit, TokenRange } from '../../src/data/index.ts';
import { windowStarts } from '../../src/data/windows.ts';

const tokensIn = (runs: readonly TokenRange[]): number => runs.reduce((sum, run) => sum + run.end - run.begin, 0);

/** Blocks of 4 Ki tokens that the held-out runs cover. */
function heldBlocks(split: HeldOutSplit): number[] {
  return split.heldOut.flatMap(({ begin, end }) => {
    const first = begin / BLOCK_TOKENS;
    return Array.from({ length: Math.ceil(end / BLOCK_TOKENS) - first }, (_, i) => first + i);
  });
}

describe('held-out split', () => {
  it('holds out the blocks it always held out', () => {
    expect(heldBlocks(splitHeldOut('docs', 60 * BLOCK_TOKENS, 0.1))).toEqual([11, 16, 27, 37, 43, 50]);
  });

  it('covers every token exactly once', () => {
    const count = 200 * BLOCK_TOKENS + 77;
    const { train, heldOut } = splitHeldOut('code', count, 0.2);
    const runs = [...train, ...heldOut].sort((a, b) => a.begin - b.begin);
    expect(runs[0].begin).toBe(0);
    expect(runs.at(-1)?.end).toBe(count);
    expect(runs.slice(1).map((run) => run.begin)).toEqual(runs.slice(0, -1).map((run) => run.end));
  });

  it('holds out about the fraction that is asked for', () => {
    const { heldOut } = splitHeldOut('code', 2000 * BLOCK_TOKENS, 0.1);
    expect(tokensIn(heldOut) / (2000 * BLOCK_TOKENS)).toBeGreaterThan(0.08);
    expect(tokensIn(heldOut) / (2000 * BLOCK_TOKENS)).toBeLessThan(0.12);
  });

  it('keeps its choice for the blocks before, when text is appended', () => {
    const before = heldBlocks(splitHeldOut('docs', 60 * BLOCK_TOKENS, 0.1));
    const after = heldBlocks(splitHeldOut('docs', 90 * BLOCK_TOKENS, 0.1));
    expect(after.filter((block) => block < 60)).toEqual(before);
  });

  it('holds out one block of every corpus of two or more, and trains on one', () => {
    for (let i = 0; i < 200; i++) {
      for (const [blocks, fraction] of [
        [2, 0.001],
        [2, 0.999],
        [5, 0.001],
        [5, 0.999],
      ]) {
        const { train, heldOut } = splitHeldOut(`corpus ${i}`, blocks * BLOCK_TOKENS - 1, fraction);
        expect(train.length).toBeGreaterThan(0);
        expect(heldOut.length).toBeGreaterThan(0);
      }
    }
  });

  it('does not make a short last block the only one held out, where there are three', () => {
    for (let i = 0; i < 200; i++) {
      const { heldOut } = splitHeldOut(`corpus ${i}`, 2 * BLOCK_TOKENS + 5, 1e-9);
      expect(tokensIn(heldOut)).toBe(BLOCK_TOKENS);
    }
  });

  it('keeps its blocks for windows that fit into them, and has room for a longer window in every other', () => {
    expect([1, 2048, 4095, 4096, 8192].map(blockTokensFor)).toEqual([4096, 4096, 4096, 4097, 8193]);
    const windows = (sequenceLength: number): number => {
      const { heldOut } = splitHeldOut('texts', 100e6, 0.02, blockTokensFor(sequenceLength));
      return windowStarts(heldOut, sequenceLength + 1).length;
    };
    // 2 % of the text, whatever the length.
    for (const length of [4095, 4096, 8192, 65_536]) {
      expect((windows(length) * (length + 1)) / 100e6).toBeCloseTo(0.02, 2);
    }
  });

  it('holds out nothing of one block, or at fraction 0', () => {
    expect(splitHeldOut('docs', BLOCK_TOKENS, 0.5)).toEqual({ train: [{ begin: 0, end: BLOCK_TOKENS }], heldOut: [] });
    expect(splitHeldOut('docs', 9 * BLOCK_TOKENS, 0).heldOut).toEqual([]);
    expect(splitHeldOut('docs', 0, 0.5)).toEqual({ train: [], heldOut: [] });
  });
});
