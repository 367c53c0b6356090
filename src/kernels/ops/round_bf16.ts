/**
 * f32 rounded to what bf16 can hold, as `fromBf16(toBf16(x))` would give, and its gradient rounded likewise.
 */
import { requireFloats } from '../check.ts';
import { numbers } from '../arithmetic.ts';
import { floats } from '../dtype.ts';
import type { Value } from '../graph.ts';
import { defineOp } from '../op.ts';

const op = defineOp<undefined>({
  name: 'round_bf16',
  infer: ([x]) => {
    requireFloats('round_bf16', [x]);
    return [x];
  },
  reference: ([x], [y]) => {
    const from = floats('round_bf16', x.data);
    const to = floats('round_bf16', y.data);
    for (let i = 0; i < to.length; i++) to[i] = numbers.roundBf16(from[i]);
  },
  formula: (f, [x]) => f.roundBf16(x),
  gradient: ({ cotangents: [c] }) => [c && roundBf16(c)],
});

/** `x` f32 rounded to bf16 (nearest, ties to even, NaN → 0x7fc0), kept as f32. */
export function roundBf16(x: Value): Value {
  return op([x], undefined)[0];
}
