/**
 * The bits of bf16 to f32, exactly. Straight through, and what goes back is rounded as well: the cotangent is packed.
 */
import { requireDType } from '../check.ts';
import { floats, halves } from '../dtype.ts';
import type { Value } from '../graph.ts';
import { defineOp } from '../op.ts';
import { toBf16 } from './to_bf16.ts';

const op = defineOp<undefined>({
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

/** `x` bf16 as f32, same shape. */
export function fromBf16(x: Value): Value {
  return op([x], undefined)[0];
}
