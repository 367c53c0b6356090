/**
 * f32 rounded to what bf16 can hold, as `fromBf16(toBf16(x))` would give, and its gradient rounded likewise.
 */
import { requireFloats } from '../check.ts';
import { floats } from '../dtype.ts';
import type { Value } from '../graph.ts';
import { defineOp } from '../op.ts';
import { roundBits } from './to_bf16.ts';

const op = defineOp<undefined>({
  name: 'round_bf16',
  infer: ([x]) => {
    requireFloats('round_bf16', [x]);
    return [x];
  },
  reference: ([x], [y]) => {
    const source = floats('round_bf16', x.data);
    const target = floats('round_bf16', y.data);
    const from = new Int32Array(source.buffer, source.byteOffset, source.length);
    const to = new Int32Array(target.buffer, target.byteOffset, target.length);
    for (let i = 0; i < to.length; i++) to[i] = roundBits(from[i]) << 16;
  },
  gradient: ({ cotangents: [c] }) => [c && roundBf16(c)],
});

/** `x` f32 rounded to bf16 (nearest, ties to even, NaN → 0x7fc0), kept as f32. */
export function roundBf16(x: Value): Value {
  return op([x], undefined)[0];
}
