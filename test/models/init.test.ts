/** What each init fills in, and that an element depends on seed, name and place alone. */
import { describe, expect, it } from 'vitest';
import {
  constant,
  inverseSoftplus,
  logRange,
  normal,
  ones,
  truncatedNormal,
  uniform,
  zeros,
  type Init,
} from '../../src/models/init.ts';

function filled(init: Init, length: number, seed = 7, name = 'a'): Float32Array {
  const values = new Float32Array(length);
  init(values, seed, name);
  return values;
}

const stepSizes = { least: 1e-3, most: 0.1, floor: 1e-4 };
const share = (values: Float32Array, of: (x: number) => boolean): number => values.filter(of).length / values.length;

describe('an init', () => {
  it.each([
    ['normal', normal(0.02)],
    ['truncated normal', truncatedNormal(0.02)],
    ['uniform', uniform(0.5)],
    ['inverse softplus', inverseSoftplus(stepSizes)],
  ])('that draws depends on seed, name and element alone: %s', (_, init) => {
    const values = filled(init, 64);
    expect(filled(init, 16)).toEqual(values.slice(0, 16));
    expect(filled(init, 64, 8)).not.toEqual(values);
    expect(filled(init, 64, 7, 'b')).not.toEqual(values);
  });

  it('is normal, with its deviation and its tails', () => {
    const values = filled(normal(0.5), 200_000);
    const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
    expect(mean).toBeCloseTo(0, 2);
    expect(Math.sqrt(values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length)).toBeCloseTo(0.5, 2);
    // 2 · Φ(−1), and 2 · Φ(−3): a truncated one has none.
    expect(share(values, (x) => Math.abs(x) > 0.5)).toBeCloseTo(0.3173, 2);
    expect(share(values, (x) => Math.abs(x) > 1.5)).toBeCloseTo(0.0027, 3);
    expect(share(filled(truncatedNormal(0.5), 200_000), (x) => Math.abs(x) > 1)).toBe(0);
  });

  it('is uniform between its bounds', () => {
    const values = filled(uniform(0.25), 100_000);
    expect(share(values, (x) => x < -0.25 || x >= 0.25)).toBe(0);
    for (const at of [-0.125, 0, 0.125]) expect(share(values, (x) => x < at)).toBeCloseTo(at * 2 + 0.5, 2);
  });

  it('is constant', () => {
    expect([...filled(constant(3), 2), ...filled(ones, 2), ...filled(zeros, 2)]).toEqual([3, 3, 1, 1, 0, 0]);
  });

  it('is the logarithms of 1 to the width, row after row', () => {
    const row = [1, 2, 3, 4].map((n) => Math.fround(Math.log(n)));
    expect([...filled(logRange(4), 8)]).toEqual([...row, ...row]);
  });

  it('is what softplus makes step sizes of that are even in their logarithms', () => {
    const steps = filled(inverseSoftplus(stepSizes), 50_000).map((x) => Math.log1p(Math.exp(x)));
    const [least, most] = [Math.min(...steps), Math.max(...steps)];
    expect(least).toBeGreaterThanOrEqual(1e-3 * (1 - 1e-5));
    expect(most).toBeLessThanOrEqual(0.1 * (1 + 1e-5));
    for (const part of [0.25, 0.5, 0.75]) expect(share(steps, (x) => x < 1e-3 * 100 ** part)).toBeCloseTo(part, 2);
    expect(Math.min(...filled(inverseSoftplus({ ...stepSizes, floor: 0.01 }), 1000))).toBeCloseTo(-4.6, 2);
  });
});
