/** Spikes: how far a step is from those before it, in deviations that outliers do not move. */
import { describe, expect, it } from 'vitest';
import { robustScore, spikesOf } from '../../../src/actors/training/spike.ts';

describe('the robust score', () => {
  it('is the distance from the median by 1.4826 median absolute deviations', () => {
    // Median 3; deviations 2, 1, 0, 1, 2, of which 1 is the median.
    expect(robustScore(3 + 1.4826 * 5, [1, 5, 2, 4, 3])).toBeCloseTo(5, 12);
    expect(robustScore(3 - 1.4826 * 5, [1, 5, 2, 4, 3])).toBeCloseTo(-5, 12);
    // The mean of the middle two: median 2.5, deviations 1.5, 0.5, 0.5, 1.5, of which 1 is the median.
    expect(robustScore(2.5 + 1.4826, [4, 1, 3, 2])).toBeCloseTo(1, 12);
  });

  it('is hardly moved by an outlier among the past, as a score by mean and standard deviation would be', () => {
    const past = [2.0, 2.1, 1.9, 2.05, 1.95, 2.02, 1.98, 2.03, 1.97];
    const [clean, dirty] = [robustScore(5, past), robustScore(5, [...past, 1e6])];
    expect(dirty).toBeGreaterThan(clean / 2);
  });

  it('takes a flat past to vary by a thousandth', () => {
    expect(robustScore(2.002, [2, 2, 2, 2])).toBeCloseTo(1, 9);
    expect(robustScore(0, [0, 0, 0])).toBe(0);
  });
});

describe('a spike', () => {
  const limits = { window: 8, loss_spike: 10, gradient_spike: 50 };
  const past = [1, 2, 3, 4, 5, 6, 7, 8].map((i) => ({ loss: 2 + i / 100, gradNorm: i }));

  it('is told with what it is far from', () => {
    expect(spikesOf({ loss: 5, gradNorm: 1000 }, past, limits)).toEqual([
      'loss is 5, 99.66 deviations above 2.045, the median of 8 steps',
      'gradient norm is 1000, 335.7 deviations above 4.5, the median of 8 steps',
    ]);
    expect(spikesOf({ loss: 5, gradNorm: 100 }, past, limits)).toEqual([expect.stringMatching(/^loss is 5, /)]);
  });

  it('is only above, beyond the limit, after as many steps as the window takes, and where there is a limit', () => {
    expect(spikesOf({ loss: 0, gradNorm: 0 }, past, limits)).toEqual([]);
    expect(spikesOf({ loss: 2.1, gradNorm: 20 }, past, limits)).toEqual([]);
    expect(spikesOf({ loss: 5, gradNorm: 1000 }, past.slice(1), limits)).toEqual([]);
    expect(spikesOf({ loss: 5, gradNorm: 1000 }, past, { ...limits, loss_spike: 0, gradient_spike: 0 })).toEqual([]);
  });
});
