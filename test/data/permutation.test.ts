/** The order of an epoch: every window once, in an order that the key decides. */
import { describe, expect, it } from 'vitest';
import { permuted } from '../../src/data/permutation.ts';

const order = (size: number, key: number): number[] => Array.from({ length: size }, (_, i) => permuted(i, size, key));

describe('permutation', () => {
  it.each([1, 2, 3, 4, 5, 16, 17, 63, 1000, 4097])('visits each of %i indices exactly once', (size) => {
    expect(order(size, 99).toSorted((a, b) => a - b)).toEqual(Array.from({ length: size }, (_, i) => i));
  });

  it('gives the order it always gave', () => {
    expect(order(10, 1)).toEqual([6, 2, 0, 5, 9, 7, 4, 3, 1, 8]);
  });

  it('gives another order to another key', () => {
    expect(order(100, 1)).not.toEqual(order(100, 2));
  });

  it('leaves few indices in place and few neighbours together', () => {
    const all = order(10_000, 5);
    expect(all.filter((to, i) => to === i).length).toBeLessThan(8);
    expect(all.filter((to, i) => i > 0 && Math.abs(to - all[i - 1]) === 1).length).toBeLessThan(12);
  });

  it('stays inside sizes above 32 bits', () => {
    const size = 2 ** 40 + 1;
    const images = Array.from({ length: 1000 }, (_, i) => permuted(size - 1 - i, size, 8));
    expect(images.every((image) => Number.isInteger(image) && image >= 0 && image < size)).toBe(true);
    expect(new Set(images).size).toBe(1000);
  });

  it('refuses an index outside its size', () => {
    expect(() => permuted(3, 3, 0)).toThrow(RangeError);
  });
});
