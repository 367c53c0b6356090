/** The hash must never change: batches, held-out blocks and window borders of every run hang on its bits. */
import { describe, expect, it } from 'vitest';
import { hashText, hashU32, mixU32, wordsOf } from '../../src/data/hash.ts';

describe('hash', () => {
  it('gives the bits it always gave', () => {
    expect([mixU32(0), mixU32(1), mixU32(0xffffffff)]).toEqual([0x0, 0x688990c0, 0x6768824a]);
    expect([hashU32(), hashU32(0), hashU32(1, 2, 3), hashU32(0xffffffff, 7)]).toEqual([
      0x0, 0x1fce552, 0x4f354d90, 0x71141400,
    ]);
    expect([hashText(''), hashText('docs'), hashText('Grüße')]).toEqual([0x1fce552, 0xdc29da1c, 0xb005505]);
  });

  it('is a bijection of its last word', () => {
    const seen = new Set(Array.from({ length: 100_000 }, (_, i) => hashU32(42, i)));
    expect(seen.size).toBe(100_000);
  });

  it('fills 256 buckets evenly over a counter, by its high and by its low bits', () => {
    for (const shift of [0, 24]) {
      const buckets = new Array<number>(256).fill(0);
      for (let i = 0; i < 256_000; i++) buckets[(hashU32(7, i) >>> shift) & 255]++;
      const chiSquare = buckets.reduce((sum, n) => sum + (n - 1000) ** 2 / 1000, 0);
      // 255 degrees of freedom: 190 to 330 holds all but one in a thousand hashes.
      expect(chiSquare).toBeGreaterThan(190);
      expect(chiSquare).toBeLessThan(330);
    }
  });

  it('flips about half of its bits when one bit of a word flips', () => {
    for (let bit = 0; bit < 32; bit++) {
      let flips = 0;
      for (let i = 0; i < 1000; i++) {
        let difference = hashU32(3, i, 9) ^ hashU32(3, i ^ (1 << bit), 9);
        for (; difference !== 0; difference &= difference - 1) flips++;
      }
      expect(Math.abs(flips / 1000 - 16)).toBeLessThan(0.6);
    }
  });

  it('tells lists of words apart by order and length', () => {
    expect(new Set([hashU32(1, 2), hashU32(2, 1), hashU32(1), hashU32(1, 2, 0)]).size).toBe(4);
  });

  it('splits integers above 32 bits into two words', () => {
    expect(wordsOf(5 * 2 ** 32 + 7)).toEqual([7, 5]);
    expect(wordsOf(Number.MAX_SAFE_INTEGER)).toEqual([0xffffffff, 0x1fffff]);
  });
});
