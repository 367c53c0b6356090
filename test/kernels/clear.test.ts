/** Zeroing of floats two at once, wherever they begin and end. */
import { expect, it } from 'vitest';
import { clear } from '../../src/kernels/dtype.ts';

it.each([0, 1, 2, 3, 8, 9])(
  'zeroes %i floats and none beside them, from an even place and from an odd one',
  (length) => {
    for (const first of [2, 3]) {
      const all = new Float32Array(new SharedArrayBuffer(64)).fill(1);
      clear(all.subarray(first, first + length));
      expect([...all]).toEqual(Array.from({ length: 16 }, (_, i) => (i >= first && i < first + length ? 0 : 1)));
    }
  },
);
