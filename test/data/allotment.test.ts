/** Which corpus a sequence comes from: by weight, at every prefix, in any order of asking. */
import { describe, expect, it } from 'vitest';
import { Allotment } from '../../src/data/allotment.ts';

const corpora = (weights: readonly number[], count: number): number[] => {
  const allotment = new Allotment(weights);
  return Array.from({ length: count }, (_, n) => allotment.at(n).corpus);
};

describe('allotment', () => {
  it('draws the corpus furthest behind, ties to the first', () => {
    expect(corpora([0.5, 0.25, 0.25], 8)).toEqual([0, 1, 2, 0, 0, 1, 2, 0]);
    expect(corpora([1, 1, 1], 6)).toEqual([0, 1, 2, 0, 1, 2]);
  });

  it('keeps every prefix of the quickstart blend within one sequence of its weights', () => {
    const shares = [0.7, 0.2, 0.1];
    const drawn = [0, 0, 0];
    for (const [n, corpus] of corpora(shares, 20_000).entries()) {
      drawn[corpus]++;
      for (let i = 0; i < 3; i++) expect(Math.abs(drawn[i] - shares[i] * (n + 1))).toBeLessThan(1);
    }
  });

  it('numbers the sequences of each corpus from 0 without gaps', () => {
    const allotment = new Allotment([3, 2, 1]);
    const next = [0, 0, 0];
    for (let n = 0; n < 10_000; n++) {
      const { corpus, ordinal } = allotment.at(n);
      expect(ordinal).toBe(next[corpus]++);
    }
  });

  it('answers the same in any order of asking', () => {
    const forward = new Allotment([5, 3, 2]);
    const inOrder = Array.from({ length: 9000 }, (_, n) => forward.at(n));
    const other = new Allotment([5, 3, 2]);
    for (const n of [8999, 0, 4096, 4095, 8191, 8192, 17]) expect(other.at(n)).toEqual(inOrder[n]);
  });

  it('never draws a corpus of weight 0', () => {
    expect(corpora([0, 1, 0], 5)).toEqual([1, 1, 1, 1, 1]);
  });
});
