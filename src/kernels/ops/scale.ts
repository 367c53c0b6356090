/** y = factor · x, the factor a fixed number rounded to fp32. */
import { isEmpty, requireFloats } from '../check.ts';
import { floats } from '../dtype.ts';
import type { Value } from '../graph.ts';
import { defineOp } from '../op.ts';

const op = defineOp<{ factor: number }>({
  name: 'scale',
  infer: ([x]) => {
    requireFloats('scale', [x]);
    return [x];
  },
  reference: ([x], [y], { factor }) => {
    const from = floats('scale', x.data);
    const to = floats('scale', y.data);
    for (let i = 0; i < to.length; i++) to[i] = from[i] * factor;
  },
  formula: (f, [x], { factor }) => f.mul(x, f.constant(factor)),
  gradient: ({ cotangents: [c] }, { factor }) => [c && scale(c, factor)],
  onnx: (graph, [x], { inputs: [{ shape }] }, { factor }) =>
    isEmpty(shape) ? null : [graph.one('Mul', [x, graph.float32([factor], [])])],
});

export function scale(x: Value, factor: number): Value {
  return op([x], { factor: Math.fround(factor) })[0];
}
