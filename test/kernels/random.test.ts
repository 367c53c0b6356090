/** The counter-based random numbers: golden values, statistics over fixed seeds, and what the jitter makes of them. */
import { expect, it } from 'vitest';
import {
  draw,
  fillTruncatedNormal,
  fillUniform,
  f32,
  i32,
  jitter,
  runReference,
  streamOf,
  trace,
} from '../../src/kernels/index.ts';
import { erf, normalQuantile } from '../../src/kernels/normal.ts';
import { mix } from '../../src/kernels/random.ts';

it('gives the same numbers everywhere and for ever', () => {
  expect([0, 1, 2, 0xffffffff].map(mix)).toEqual([0, 2261973619, 229111015, 2578835075]);
  const { a, b } = streamOf([1, 2, 3]);
  expect([a, b]).toEqual([2113124053, 2292271364]);
  expect([0, 1, 2, 1000].map((i) => draw(a, b, i))).toEqual([3529111409, 2944745318, 3563506901, 3427649440]);
  const weights = new Float32Array(4);
  fillTruncatedNormal(weights, 7, 'lm_head.weight', 0.02);
  expect([...weights]).toEqual([
    0.007178220897912979, 0.005391478072851896, -0.023135075345635414, -0.009287272579967976,
  ]);
});

it('flips half of the bits of a draw with each bit of its stream and counter', () => {
  const flips = (change: (bit: number) => number, reference: number): number => {
    let count = 0;
    for (let bit = 0; bit < 32; bit++) {
      let difference = (change(bit) ^ reference) >>> 0;
      for (; difference !== 0; difference >>>= 1) count += difference & 1;
    }
    return count;
  };
  const samples = 400;
  const totals = [0, 0, 0];
  for (let i = 0; i < samples; i++) {
    const { a, b } = streamOf([i]);
    const reference = draw(a, b, i);
    totals[0] += flips((bit) => draw(a, b, i ^ (1 << bit)), reference);
    totals[1] += flips((bit) => draw(a ^ (1 << bit), b, i), reference);
    const word = streamOf([i, 5]);
    const drawn = draw(word.a, word.b, 0);
    totals[2] += flips((bit) => {
      const other = streamOf([i, 5 ^ (1 << bit)]);
      return draw(other.a, other.b, 0);
    }, drawn);
  }
  // 400 samples of 32 × 32 flips: the mean of a fair coin is 16 of 32 within 0.05.
  for (const total of totals) expect(Math.abs(total / (samples * 32) - 16)).toBeLessThan(0.15);
});

it('finds the normal quantile that integrates back to its probability', () => {
  const density = (x: number): number => Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI);
  // Simpson's rule from 0.
  const integral = (x: number): number => {
    const n = 2000;
    const h = x / n;
    let sum = density(0) + density(x);
    for (let i = 1; i < n; i++) sum += (i % 2 === 1 ? 4 : 2) * density(i * h);
    return 0.5 + (sum * h) / 3;
  };
  for (const p of [1e-6, 0.001, 0.0227501, 0.02425, 0.1, 0.3, 0.5, 0.77, 0.98, 0.99999]) {
    expect(Math.abs(integral(normalQuantile(p)) - p) / Math.min(p, 1 - p)).toBeLessThan(1e-6);
    const x = normalQuantile(p);
    expect(Math.abs(0.5 * (1 + erf(x / Math.SQRT2)) - integral(x))).toBeLessThan(1e-12);
  }
});

it('fills weights from a normal cut at two standard deviations', () => {
  const weights = new Float32Array(100_000);
  fillTruncatedNormal(weights, 1, 'w', 0.5);
  let sum = 0;
  let squares = 0;
  let largest = 0;
  for (const w of weights) {
    sum += w;
    squares += w * w;
    largest = Math.max(largest, Math.abs(w));
  }
  expect(largest).toBeGreaterThan(0.99);
  expect(largest).toBeLessThanOrEqual(1);
  expect(Math.abs(sum / weights.length)).toBeLessThan(0.005);
  // A unit normal cut at ±2 has variance 1 − 4 φ(2) / (1 − 2 Φ(−2)) = 0.7737.
  expect(Math.abs(squares / weights.length / 0.25 - 0.7737)).toBeLessThan(0.01);
});

it('makes an element of a weight a pure function of seed, name and index', () => {
  const long = new Float32Array(64);
  const short = new Float32Array(8);
  fillUniform(long, 3, 'a', -1, 1);
  fillUniform(short, 3, 'a', -1, 1);
  expect([...short]).toEqual([...long.subarray(0, 8)]);
  fillUniform(short, 3, 'b', -1, 1);
  expect([...short]).not.toEqual([...long.subarray(0, 8)]);
  fillUniform(short, 4, 'a', -1, 1);
  expect([...short]).not.toEqual([...long.subarray(0, 8)]);
});

it('jitters a token by its global place, not by its row', () => {
  const program = trace('jitter', { x: f32([4, 8]), key: i32([5]) }, ({ x, key }) => ({ y: jitter(x, key, 0.01) }));
  const noise = (first: number): number[] => {
    const ones = new Float32Array(32).fill(1);
    return [...runReference(program, { x: ones, key: Int32Array.of(1, 2, 3, 4, first) }).y];
  };
  expect(noise(12).slice(0, 16)).toEqual(noise(10).slice(16));
  expect(noise(10).every((factor) => factor >= Math.fround(0.99) && factor <= Math.fround(1.01))).toBe(true);
  expect(new Set(noise(10)).size).toBe(32);
});
