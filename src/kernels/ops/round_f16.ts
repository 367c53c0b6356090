/** f32 rounded to what f16 can hold: to nearest, ties to even, infinite beyond 65,520. Straight through. */
import { isEmpty, requireFloats } from '../check.ts';
import { floats } from '../dtype.ts';
import type { Value } from '../graph.ts';
import { defineOp } from '../op.ts';

/** ONNX element types. */
const [float, float16] = [1, 10];

const op = defineOp<undefined>({
  name: 'round_f16',
  infer: ([x]) => {
    requireFloats('round_f16', [x]);
    return [x];
  },
  reference: ([x], [y]) => {
    const from = floats('round_f16', x.data);
    const to = floats('round_f16', y.data);
    for (let i = 0; i < to.length; i++) to[i] = Math.f16round(from[i]);
  },
  wgsl: (lowering, [x], [y]) => {
    lowering.need('shader-f16', 'round_f16');
    lowering.each({
      label: 'round_f16',
      reads: { x },
      writes: { y },
      enables: ['f16'],
      over: x.type.shape,
      body: 'y[i] = f32(f16(x[i]));',
    });
  },
  cheap: true,
  gradient: ({ cotangents: [c] }) => [c],
  onnx: (graph, [x], { inputs: [{ shape }] }) =>
    isEmpty(shape) ? null : [graph.one('Cast', [graph.one('Cast', [x], { to: float16 })], { to: float })],
});

/** `x` f32 rounded to f16, kept as f32. */
export function roundF16(x: Value): Value {
  return op([x], undefined)[0];
}
