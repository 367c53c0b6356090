/** Sizes with units, and the nearest known word. */
import { describe, expect, test } from 'vitest';
import { formatBytes, parseBytes } from '../../src/topology/index.ts';
import { editDistance, nearest } from '../../src/topology/nearest.ts';

describe('byte sizes', () => {
  test.each([
    ['2GiB', 2147483648],
    ['256 KiB', 262144],
    ['1.5MiB', 1572864],
    ['3 mb', 3000000],
    ['4096', 4096],
    ['1B', 1],
    ['lots', null],
    ['2 Gibi', null],
    ['-1KiB', null],
    ['0', null],
    ['0.5B', null],
    ['', null],
    ['99999999TiB', null],
  ])('%s is %s', (text, bytes) => {
    expect(parseBytes(text)).toBe(bytes);
  });

  test('are written in the largest unit that is exact, and read back the same', () => {
    expect([1, 1000, 1024, 1536, 2 ** 31, 3 * 2 ** 40].map(formatBytes)).toEqual([
      '1',
      '1000',
      '1KiB',
      '1536',
      '2GiB',
      '3TiB',
    ]);
    for (const bytes of [1, 1023, 1024, 5 * 2 ** 20, 123456789]) expect(parseBytes(formatBytes(bytes))).toBe(bytes);
  });
});

describe('the nearest word', () => {
  test('counts insertions, deletions, replacements and swaps', () => {
    expect(editDistance('steps', 'steps')).toBe(0);
    expect(editDistance('stesp', 'steps')).toBe(1);
    expect(editDistance('step', 'steps')).toBe(1);
    expect(editDistance('kitten', 'sitting')).toBe(3);
    expect(editDistance('', 'abc')).toBe(3);
  });

  test('is the closest, the first of equals, whatever its case', () => {
    expect(nearest('hidden_sze', ['hidden_size', 'head_size'])).toBe('hidden_size');
    expect(nearest('Steps', ['seed', 'steps'])).toBe('steps');
    expect(nearest('bat', ['cat', 'hat'])).toBe('cat');
  });

  test('is none when all are far', () => {
    expect(nearest('zzz', ['steps', 'seed'])).toBeNull();
    expect(nearest('moe', [])).toBeNull();
  });
});
