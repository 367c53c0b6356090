/** y = x + term, the term a fixed number rounded to fp32. */
import { isEmpty, requireFloats } from '../check.ts';
import { floats } from '../dtype.ts';
import type { Value } from '../graph.ts';
import { defineOp } from '../op.ts';

const op = defineOp<{ term: number }>({
  name: 'shift',
  infer: ([x]) => {
    requireFloats('shift', [x]);
    return [x];
  },
  reference: ([x], [y], { term }) => {
    const from = floats('shift', x.data);
    const to = floats('shift', y.data);
    for (let i = 0; i < to.length; i++) to[i] = from[i] + term;
  },
  formula: (f, [x], { term }) => f.add(x, f.constant(term)),
  gradient: ({ cotangents: [c] }) => [c],
  onnx: (graph, [x], { inputs: [{ shape }] }, { term }) =>
    isEmpty(shape) ? null : [graph.one('Add', [x, graph.float32([term], [])])],
});

/** x of any shape → the same shape. */
export function shift(x: Value, term: number): Value {
  return op([x], { term: Math.fround(term) })[0];
}
