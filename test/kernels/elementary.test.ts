/** Elementary functions against the engine's own, which are right to float64. */
import { describe, expect, it } from 'vitest';
import { numbers, POWER_SHIFT } from '../../src/kernels/arithmetic.ts';
import { erf, exp, log, sigmoid, softplus, tanh } from '../../src/kernels/elementary.ts';
import { erf as preciseErf } from '../../src/kernels/normal.ts';

const grid = (low: number, high: number, count = 20_001): number[] =>
  Array.from({ length: count }, (_, i) => Math.fround(low + ((high - low) * i) / (count - 1)));

/** The distance between neighbours of fp32 at `x`. */
const ulp = (x: number): number => 2 ** (Math.max(Math.floor(Math.log2(Math.abs(x))), -126) - 23);

const worst = (xs: readonly number[], of: (x: number) => number, precise: (x: number) => number): number =>
  Math.max(...xs.map((x) => Math.abs(of(x) - precise(x)) / ulp(precise(x))));

it('exp is within 1 ulp', () => {
  expect(worst(grid(-87.3, 88.7), (x) => exp(numbers, x), Math.exp)).toBeLessThan(1);
  expect(worst(grid(-1, 1), (x) => exp(numbers, x), Math.exp)).toBeLessThan(1);
});

it('log is within 1 ulp, of subnormal numbers too', () => {
  const of = (x: number): number => log(numbers, x);
  expect(worst(grid(0.5, 2), of, Math.log)).toBeLessThan(1);
  expect(worst(grid(0.999, 1.001), of, Math.log)).toBeLessThan(1);
  expect(worst(grid(1e-3, 1e3), of, Math.log)).toBeLessThan(1);
  const everyPower = Array.from({ length: 276 * 7 }, (_, i) => Math.fround((1 + (i % 7) / 7) * 2 ** (i / 7 - 149)));
  expect(worst(everyPower, of, Math.log)).toBeLessThan(1);
});

it('sigmoid and tanh are within 3 ulp', () => {
  expect(
    worst(
      grid(-80, 80),
      (x) => sigmoid(numbers, x),
      (x) => 1 / (1 + Math.exp(-x)),
    ),
  ).toBeLessThan(3);
  expect(worst(grid(-10, 10), (x) => tanh(numbers, x), Math.tanh)).toBeLessThan(3);
  expect(worst(grid(-1e-3, 1e-3), (x) => tanh(numbers, x), Math.tanh)).toBeLessThan(3);
});

it('softplus is within 3 ulp', () => {
  const precise = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
  expect(worst(grid(-80, 80), (x) => softplus(numbers, x), precise)).toBeLessThan(3);
  expect(worst(grid(-2, 2), (x) => softplus(numbers, x), precise)).toBeLessThan(3);
});

it('erf is within 2e-7', () => {
  const errors = grid(-6, 6).map((x) => Math.abs(erf(numbers, x) - preciseErf(x)));
  expect(Math.max(...errors)).toBeLessThan(2e-7);
});

it.each([
  {
    name: 'exp',
    of: exp,
    cases: [
      [Infinity, Infinity],
      [-Infinity, 0],
      [-1e30, 0],
      [88.7229, Infinity],
      [0, 1],
      [NaN, NaN],
    ],
  },
  {
    name: 'log',
    of: log,
    cases: [
      [Infinity, Infinity],
      [0, -Infinity],
      [-0, -Infinity],
      [-1, NaN],
      [-Infinity, NaN],
      [1, 0],
      [NaN, NaN],
    ],
  },
  {
    name: 'sigmoid',
    of: sigmoid,
    cases: [
      [Infinity, 1],
      [-Infinity, 0],
      [0, 0.5],
      [NaN, NaN],
    ],
  },
  {
    name: 'softplus',
    of: softplus,
    cases: [
      [Infinity, Infinity],
      [-Infinity, 0],
      [100, 100],
      [NaN, NaN],
    ],
  },
  {
    name: 'tanh',
    of: tanh,
    cases: [
      [Infinity, 1],
      [-Infinity, -1],
      [0, 0],
      [20, 1],
      [NaN, NaN],
    ],
  },
  {
    name: 'erf',
    of: erf,
    cases: [
      [Infinity, 1],
      [-Infinity, -1],
      [0, 0],
      [5, 1],
      [NaN, NaN],
    ],
  },
])('$name at the edges', ({ of, cases }) => {
  expect(cases.map(([x]) => of(numbers, x))).toEqual(cases.map(([, y]) => y));
});

describe('the arithmetic of the reference', () => {
  it('multiplies by powers of two', () => {
    expect([-125, 0, 127].map((n) => numbers.timesPower2(1.25, n + POWER_SHIFT))).toEqual(
      [-125, 0, 127].map((n) => 1.25 * 2 ** n),
    );
  });
  it('knows no order with NaN', () => {
    expect(numbers.whereLess(NaN, 1, 2, 3)).toBe(3);
    expect([numbers.minimum(NaN, 1), numbers.maximum(1, NaN)]).toEqual([NaN, NaN]);
    expect([numbers.smaller(1, NaN), numbers.larger(NaN, 1)]).toEqual([NaN, 1]);
  });
});
