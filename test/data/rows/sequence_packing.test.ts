/** How samples lie in sequences: none is lost, none is cut, and little room is left. */
import { describe, expect, it } from 'vitest';
import { hashU32 } from '../../../src/data/hash.ts';
import { bestFit, oneEach } from '../../../src/data/rows/sequence_packing.ts';

const lengthOf = (sample: number): number => 1 + (hashU32(7, sample) % 100);
const samples = Array.from({ length: 10_000 }, (_, sample) => sample);

/** The samples of each sequence. */
const sequencesOf = ({ order, starts }: ReturnType<typeof oneEach>): number[][] =>
  starts.slice(0, -1).map((start, i) => order.slice(start, starts[i + 1]));

describe('samples', () => {
  it('have a sequence each, in their own order', () => {
    expect(sequencesOf(oneEach([4, 7, 9]))).toEqual([[4], [7], [9]]);
    expect(oneEach([])).toEqual({ order: [], starts: [0] });
  });

  it('that are put together are all there, once, and fit', () => {
    const sequences = sequencesOf(bestFit(samples, lengthOf, 128));
    expect(sequences.flat().sort((a, b) => a - b)).toEqual(samples);
    const lengths = sequences.map((sequence) => sequence.reduce((sum, sample) => sum + lengthOf(sample), 0));
    expect(Math.max(...lengths)).toBeLessThanOrEqual(128);
    expect(lengths.reduce((sum, length) => sum + length, 0) / (128 * sequences.length)).toBeGreaterThan(0.95);
  });

  it('that just fill a sequence, or are one token, leave nothing', () => {
    const lengths = [128, 127, 1, 64, 64, 128];
    expect(sequencesOf(bestFit([0, 1, 2, 3, 4, 5], (sample) => lengths[sample], 128))).toEqual([
      [0],
      [1, 2],
      [3, 4],
      [5],
    ]);
  });
});
