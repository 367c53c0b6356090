/**
 * f32 to the bits of bf16: rounded to nearest, ties to even; every NaN becomes 0x7fc0. Straight through: the cotangent,
 * which is bf16 too, is only unpacked.
 *
 * No ONNX: onnxruntime's Cast keeps the sign of a NaN.
 */
import { requireFloats } from '../check.ts';
import { bf16BitsOf } from '../arithmetic.ts';
import { floats, halves } from '../dtype.ts';
import type { Value } from '../graph.ts';
import { defineOp } from '../op.ts';
import { fromBf16 } from './from_bf16.ts';

const op = defineOp<undefined>({
  name: 'to_bf16',
  infer: ([x]) => {
    requireFloats('to_bf16', [x]);
    return [{ dtype: 'bf16', shape: x.shape }];
  },
  reference: ([x], [y]) => {
    const { buffer, byteOffset, length } = floats('to_bf16', x.data);
    const from = new Int32Array(buffer, byteOffset, length);
    const to = halves('to_bf16', y.data);
    for (let i = 0; i < length; i++) to[i] = bf16BitsOf(from[i]);
  },
  // Storing as bf16 rounds.
  formula: (_f, [x]) => x,
  gradient: ({ cotangents: [c] }) => [c && fromBf16(c)],
});

/** `x` f32 packed as bf16, same shape. */
export function toBf16(x: Value): Value {
  return op([x], undefined)[0];
}
