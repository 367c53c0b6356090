/**
 * f32 to the bits of bf16, and back. Each is the other's gradient, straight through: what goes back through `toBf16` is
 * bf16 too and only unpacked, what goes back through `fromBf16` is rounded as well.
 *
 * Rounding is to nearest, ties to even; every NaN becomes 0x7fc0. No ONNX: onnxruntime's Cast keeps the sign of a NaN.
 */
import { requireDType, requireFloats } from '../check.ts';
import { bf16BitsOf } from '../arithmetic.ts';
import { floats, halves } from '../dtype.ts';
import type { Value } from '../graph.ts';
import { defineOp } from '../op.ts';

const packOp = defineOp<undefined>({
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

const unpackOp = defineOp<undefined>({
  name: 'from_bf16',
  infer: ([x]) => {
    requireDType('from_bf16', x, 'bf16');
    return [{ dtype: 'f32', shape: x.shape }];
  },
  reference: ([x], [y]) => {
    const from = halves('from_bf16', x.data);
    const { buffer, byteOffset, length } = floats('from_bf16', y.data);
    const to = new Int32Array(buffer, byteOffset, length);
    for (let i = 0; i < length; i++) to[i] = from[i] << 16;
  },
  // Loading from bf16 widens.
  formula: (_f, [x]) => x,
  gradient: ({ cotangents: [c] }) => [c && toBf16(c)],
});

/** `x` f32 packed as bf16, same shape. */
export function toBf16(x: Value): Value {
  return packOp([x], undefined)[0];
}

/** `x` bf16 as f32, exactly, same shape. */
export function fromBf16(x: Value): Value {
  return unpackOp([x], undefined)[0];
}
