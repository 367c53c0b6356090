/** The global gradient norm: the order in which it adds up, and what it makes of numbers that are none. */
import { describe, expect, it } from 'vitest';
import { clipScale, globalNorm, sumOfChunks, sumOfParts } from '../../../src/actors/parameters/gradient_norm.ts';
import { chunkSquaresOf } from '../../../src/kernels/ops/chunk_squares.ts';
import { unit } from '../../../src/runtime/testing/index.ts';

const chunk = 64 * 1024;

const sumOfSquares = (values: Float32Array): number => sumOfChunks(chunkSquaresOf(values));

/** Element i in partial sum i mod 8, what is beyond the last eight in a ninth. */
function byEights(values: Float32Array): number {
  const sums = new Float64Array(9);
  const whole = values.length - (values.length % 8);
  values.forEach((x, i) => (sums[i < whole ? i % 8 : 8] += x * x));
  const [a, b, c, d, e, f, g, h, rest] = sums;
  return a + b + (c + d) + (e + f + (g + h)) + rest;
}

describe('the sum of squares', () => {
  it('folds chunks of 64 Ki elements, each in eight partial sums', () => {
    const values = Float32Array.from({ length: 2 * chunk + 13 }, (_, i) => unit(1, i) - 0.5);
    const parts = [values.subarray(0, chunk), values.subarray(chunk, 2 * chunk), values.subarray(2 * chunk)];
    const byChunks = parts.reduce((total, part) => total + byEights(part), 0);
    const inOne = values.reduce((sum, x) => sum + x * x, 0);
    expect(sumOfSquares(values)).toBe(byChunks);
    // The two orders differ in their last bits, so that the line above says something.
    expect(byChunks).not.toBe(inOne);
  });

  it('is in float64: a float32 square may overflow', () => {
    expect(sumOfSquares(Float32Array.of(2 ** 100, 0))).toBe(2 ** 200);
  });

  it('of nothing is zero', () => {
    expect(sumOfSquares(new Float32Array(0))).toBe(0);
  });

  it.each([
    [NaN, NaN],
    [Infinity, Infinity],
    [-Infinity, Infinity],
  ])('of an element %d is %d', (bad, expected) => {
    const values = new Float32Array(chunk + 10).fill(1);
    values[chunk + 3] = bad;
    expect(sumOfSquares(values)).toBe(expected);
  });
});

describe('the sum of parts', () => {
  it('folds the 64 parts of each chunk in order, then the chunks', () => {
    const parts = Float32Array.from({ length: 130 }, (_, i) => unit(3, i) ** 9);
    const chunkSum = (from: number): number => parts.slice(from, from + 64).reduce((sum, part) => sum + part, 0);
    expect(sumOfParts(parts)).toBe(chunkSum(0) + chunkSum(64) + chunkSum(128));
    expect(sumOfParts(parts)).not.toBe(parts.reduce((sum, part) => sum + part, 0));
  });

  it('is not finite where a part is not', () => {
    expect(sumOfParts(Float32Array.of(1, NaN))).toBeNaN();
    expect(sumOfParts(Float32Array.of(1, Infinity))).toBe(Infinity);
    expect(sumOfParts(new Float32Array(0))).toBe(0);
  });
});

describe('the global norm', () => {
  it('adds tensors in the order of their names, whoever reported first', () => {
    const squares = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`t${i}`, unit(2, i) ** 9]));
    const turned = Object.fromEntries(Object.entries(squares).reverse());
    const names = Object.keys(squares).sort();
    expect(globalNorm(squares)).toBe(Math.sqrt(names.reduce((sum, name) => sum + squares[name], 0)));
    expect(globalNorm(turned)).toBe(globalNorm(squares));
  });

  it('is not finite where one tensor is not', () => {
    expect(globalNorm({ a: 1, b: NaN })).toBeNaN();
    expect(globalNorm({ a: Infinity, b: 1 })).toBe(Infinity);
  });
});

describe('the clip scale', () => {
  it('is one float32 that brings the norm to the limit', () => {
    expect(clipScale(4, 1)).toBe(Math.fround(1 / (4 + 1e-6)));
  });

  it.each([
    ['the norm is within the limit', 0.5, 1],
    ['the norm is the limit', 1, 1],
    ['there is no limit', 1e9, 0],
    ['the norm is not a number', NaN, 1],
  ])('is one where %s', (_where, norm, limit) => {
    expect(clipScale(norm, limit)).toBe(1);
  });
});
