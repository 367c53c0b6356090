/** The largest element over some axes. The gradient goes to the first of equal maxima in row-major order. */
import { isEmpty, requireFloats } from '../check.ts';
import { floats } from '../dtype.ts';
import type { Value } from '../graph.ts';
import { defineOp } from '../op.ts';
import { reductionPass, walkOf } from '../webgpu/wgsl/reduction.ts';
import { forEachReduced, reducedShape, reduction, type Reduction } from './reduce.ts';

const op = defineOp<Reduction>({
  name: 'reduce_max',
  infer: ([x], attributes) => {
    requireFloats('reduce_max', [x]);
    return [{ dtype: 'f32', shape: reducedShape(x.shape, attributes) }];
  },
  reference: ([x], [y], attributes) => {
    const from = floats('reduce_max', x.data);
    const to = floats('reduce_max', y.data);
    to.fill(-Infinity);
    forEachReduced(x, attributes, (i, j) => (to[j] = Math.max(to[j], from[i])));
  },
  wgsl: (lowering, [x], [y], { axes }) => reductionPass(lowering, { label: 'reduce_max', x, y, axes, kind: 'max' }),
  gradient: ({ inputs: [x], outputs: [y], cotangents: [c] }, attributes) => [c && gradientOp([x, y, c], attributes)[0]],
  onnx: (graph, [x], { inputs: [{ shape }] }, { axes, keepDims }) =>
    isEmpty(shape) || axes.some((axis) => typeof shape[axis] !== 'number')
      ? null
      : [graph.one('ReduceMax', [x, graph.int64(axes)], { keepdims: Number(keepDims) })],
});

const gradientOp = defineOp<Reduction>({
  name: 'reduce_max_gradient',
  infer: ([x]) => [x],
  reference: ([x, y, dy], [dx], attributes) => {
    const from = floats('reduce_max_gradient', x.data);
    const max = floats('reduce_max_gradient', y.data);
    const c = floats('reduce_max_gradient', dy.data);
    const to = floats('reduce_max_gradient', dx.data);
    const taken = new Uint8Array(max.length);
    to.fill(0);
    forEachReduced(x, attributes, (i, j) => {
      if (taken[j] === 1 || from[i] !== max[j]) return;
      taken[j] = 1;
      to[i] = c[j];
    });
  },
  wgsl: (lowering, [x, y, dy], [dx], { axes }) => {
    const { shape } = x.type;
    const kept = shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis));
    const walk = walkOf(shape, axes, kept);
    lowering.each({
      label: 'reduce_max_gradient',
      reads: { x, y, dy },
      writes: { dx },
      over: kept.map((axis) => shape[axis]),
      body: `var is_taken = false;
${walk.begin}
let is_first = !is_taken && x[at] == y[i];
dx[at] = select(0f, dy[i], is_first);
is_taken = is_taken || is_first;
${walk.end}`,
    });
  },
});

/** max x over `axes` (negative: from the back), which vanish unless `keepDims`. */
export function reduceMax(x: Value, axes: readonly number[], keepDims = false): Value {
  return op([x], reduction('reduce_max', x.type.shape, axes, keepDims))[0];
}
