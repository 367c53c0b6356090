/**
 * The sum over some axes: over the last one alone as `lane_sum.ts` has it, else one fp32 addition after another in
 * row-major order.
 */
import { isEmpty, requireFloats } from '../check.ts';
import { floats } from '../dtype.ts';
import type { Value } from '../graph.ts';
import { laneSum } from '../lane_sum.ts';
import { defineOp } from '../op.ts';
import { reductionPass } from '../webgpu/wgsl/reduction.ts';
import { broadcastTo } from './broadcast_to.ts';
import { addRows, forEachReduced, isStableSum, keptShape, reducedShape, reduction, type Reduction } from './reduce.ts';
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
    if (isLastAxis(x.shape.length, attributes)) {
      const width = x.shape.at(-1)!;
      for (let r = 0; r < to.length; r++) to[r] = laneSum(width, (i) => from[r * width + i]);
      return;
    }
    to.fill(0);
    forEachReduced(x, attributes, (i, j) => (to[j] += from[i]));
  },
  wasm: (kernel, [x], [y], attributes) => {
    const { shape } = x.type;
    if (isLastAxis(shape.length, attributes)) {
      return kernel.overRows(shape, (width, start, row) => {
        const sum = kernel.sum(width, start, (at, offset) => kernel.load(x, at, offset));
        kernel.storeOne(y, sum, kernel.elementAt(row));
      });
    }
    return attributes.axes.every((axis, i) => axis === i) && addRows(kernel, x, y, shape.slice(attributes.axes.length));
  },
  wgsl: (lowering, [x], [y], { axes }) => reductionPass(lowering, { label: 'reduce_sum', x, y, axes, kind: 'sum' }),
  gradient: ({ inputs: [x], cotangents: [c] }, attributes) => [
    c && broadcastTo(reshape(c, keptShape(x.type.shape, attributes)), x.type.shape),
  ],
  onnx: (graph, [x], { inputs: [{ shape }] }, attributes) =>
    isEmpty(shape) || !isStableSum(shape, attributes)
      ? null
      : [graph.one('ReduceSum', [x, graph.int64(attributes.axes)], { keepdims: Number(attributes.keepDims) })],
});

const isLastAxis = (rank: number, { axes }: Reduction): boolean => axes.length === 1 && axes[0] === rank - 1;

/** Σ x over `axes` (negative: from the back), which vanish unless `keepDims`. */
export function reduceSum(x: Value, axes: readonly number[], keepDims = false): Value {
  return op([x], reduction('reduce_sum', x.type.shape, axes, keepDims))[0];
}
