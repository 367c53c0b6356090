/**
 * Multiplicative noise on a router's input: y = x · (1 + ε(2u − 1)), u uniform in [0, 1) (papers.md §2.1). u is hashed
 * from what the element is, never from when it is computed, so the gradient makes the same mask again.
 */
import { requireFloats, requireRank } from '../check.ts';
import { floats } from '../dtype.ts';
import { DTypeError, ShapeError } from '../errors.ts';
import type { Value } from '../graph.ts';
import { defineOp } from '../op.ts';
import { draw, streamOf, substream } from '../random.ts';
import { sameShape, showShape } from '../shape.ts';

const op = defineOp<{ epsilon: number }>({
  name: 'jitter',
  infer: ([x, key]) => {
    requireFloats('jitter', [x]);
    requireRank('jitter', 'x', x, 2);
    if (key.dtype !== 'i32' && key.dtype !== 'u32') throw new DTypeError('jitter', 'i32 or u32', key.dtype);
    if (!sameShape(key.shape, [5])) throw new ShapeError('jitter', `key has shape ${showShape(key.shape)}, needs [5]`);
    return [x];
  },
  reference: ([x, key], [y], { epsilon }) => {
    const from = floats('jitter', x.data);
    const to = floats('jitter', y.data);
    const [rows, width] = x.shape;
    const stream = streamOf(key.data.subarray(0, 4));
    const firstToken = key.data[4];
    for (let r = 0; r < rows; r++) {
      const { a, b } = substream(stream, firstToken + r);
      for (let c = 0, i = r * width; c < width; c++, i++) {
        // 24 bits of the draw: exact in fp32.
        const centred = (draw(a, b, c) >>> 8) * 2 ** -23 - 1;
        to[i] = from[i] * Math.fround(1 + epsilon * centred);
      }
    }
  },
  gradient: ({ inputs: [, key], cotangents: [c] }, { epsilon }) => [c && jitter(c, key, epsilon), null],
});

/**
 * x [R, D] times noise in [1 − ε, 1 + ε). `key` is i32 or u32 [5]: seed, purpose, layer, data step, global token of the
 * first row; row r is token first + r.
 */
export function jitter(x: Value, key: Value, epsilon: number): Value {
  return op([x, key], { epsilon })[0];
}
