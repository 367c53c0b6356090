/** Ranges without memory: where they lie, and how much memory would have been enough. */
import { describe, expect, it } from 'vitest';
import { OutOfSliceMemory } from '../../src/kernels/errors.ts';
import { Ranges, type Range } from '../../src/kernels/ranges.ts';
import { draw, streamOf } from '../../src/kernels/index.ts';

/** Takes and gives in an order that the seed fixes; returns what was taken. */
function exercise(ranges: Ranges, seed: number): Range[] {
  const { a, b } = streamOf([seed]);
  const taken: Range[] = [];
  const held: Range[] = [];
  for (let i = 0; i < 200; i++) {
    const chance = draw(a, b, 2 * i);
    const size = draw(a, b, 2 * i + 1) % 5000;
    if (chance % 3 === 0 && held.length > 0) ranges.give(held.splice(chance % held.length, 1)[0]);
    else {
      const range = ranges.take('owner', 'rows', size);
      taken.push(range);
      held.push(range);
    }
  }
  return taken;
}

describe('the peak', () => {
  it.each([1, 2, 3, 4, 5])(
    'is the least memory that would have placed every range, and places it alike (seed %i)',
    (seed) => {
      const boundless = new Ranges(2 ** 52);
      const places = exercise(boundless, seed);
      const { peakBytes } = boundless;
      expect(exercise(new Ranges(peakBytes), seed)).toEqual(places);
      expect(() => exercise(new Ranges(peakBytes - 64), seed)).toThrow(OutOfSliceMemory);
    },
  );

  it('counts holes, which the bytes in use do not', () => {
    const ranges = new Ranges(2 ** 20);
    const first = ranges.take('owner', 'first', 64);
    ranges.take('owner', 'second', 64);
    ranges.give(first);
    ranges.take('owner', 'third', 128);
    expect(ranges.usedBytes).toBe(192);
    expect(ranges.peakBytes).toBe(256);
  });
});

it('takes 64 bytes for nothing, so that no two ranges are one', () => {
  const ranges = new Ranges(1024);
  expect([ranges.take('owner', 'a', 0), ranges.take('owner', 'b', 65)]).toEqual([
    { offset: 0, bytes: 64 },
    { offset: 64, bytes: 128 },
  ]);
});
