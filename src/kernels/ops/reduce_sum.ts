/** The sum over some axes, one fp32 addition after another in row-major order. */
import { isEmpty, requireFloats } from '../check.ts';
import { floats } from '../dtype.ts';
import type { Value } from '../graph.ts';
import { defineOp } from '../op.ts';
import { broadcastTo } from './broadcast_to.ts';
import { forEachReduced, isStableSum, keptShape, reducedShape, reduction, type Reduction } from './reduce.ts';
import { reshape } from './reshape.ts';

const op = defineOp<Reduction>({
  name: 'reduce_sum',
  infer: ([x], attributes) => {
    requireFloats('reduce_sum', [x]);
    return [{ dtype: 'f32', shape: reducedShape(x.shape, attributes) }];
  },
  reference: ([x], [y], attributes) => {
    const from = floats('reduce_sum', x.data);
    const to = floats('reduce_sum', y.data);
    to.fill(0);
    forEachReduced(x, attributes, (i, j) => (to[j] += from[i]));
  },
  gradient: ({ inputs: [x], cotangents: [c] }, attributes) => [
    c && broadcastTo(reshape(c, keptShape(x.type.shape, attributes)), x.type.shape),
  ],
  onnx: (graph, [x], { inputs: [{ shape }] }, attributes) =>
    isEmpty(shape) || !isStableSum(shape, attributes)
      ? null
      : [graph.one('ReduceSum', [x, graph.int64(attributes.axes)], { keepdims: Number(attributes.keepDims) })],
});

/** Σ x over `axes` (negative: from the back), which vanish unless `keepDims`. */
export function reduceSum(x: Value, axes: readonly number[], keepDims = false): Value {
  return op([x], reduction('reduce_sum', x.type.shape, axes, keepDims))[0];
}
