/** How many patterns a glob's braces stand for, counted without making them. */
import { describe, expect, it } from 'vitest';
import { MOST_PATTERNS, patternsOf } from '../../src/data/glob_expansion.ts';

describe('a glob stands for', () => {
  it.each([
    ['**/*.txt', 1],
    ['**/*.{md,txt}', 2],
    ['{a,b}/{c,d,e}', 6],
    ['{a,b{c,d}}', 3],
    ['{a,{b,c}{d,e}}/x', 5],
    ['{1..9}', 9],
    ['{9..1}', 9],
    ['{a..e}x{1..3}', 15],
    ['{0..100..5}', 21],
    ['\\{a,b}', 1],
    ['a,b}', 1],
    ['', 1],
  ])('%s: %i patterns', (glob, count) => {
    expect(patternsOf(glob)).toBe(count);
  });

  it.each([
    ['twenty-one pairs', '{a,b}'.repeat(21)],
    ['a hundred thousand pairs', '{a,b}'.repeat(100_000)],
    ['braces in braces', '{'.repeat(100_000)],
    ['a range', '{1..1000000000}'],
    ['pairs in pairs', '{{{{{a,b}{a,b},c}{a,b}{a,b},d}{a,b}{a,b},e}{a,b}{a,b},f}{a,b}{a,b},g}{a,b}{a,b}{a,b}{a,b}'],
  ])('more than are looked for: %s', (_, glob) => {
    expect(patternsOf(glob)).toBeGreaterThan(MOST_PATTERNS);
  });
});
