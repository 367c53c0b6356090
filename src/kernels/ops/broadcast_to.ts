/**
 * A value repeated along the axes where its size is 1 (or that it lacks), to a given shape. Its gradient sums back.
 */
import { isEmpty, requireFloats } from '../check.ts';
import { floats } from '../dtype.ts';
import { ShapeError } from '../errors.ts';
import type { Value } from '../graph.ts';
import { defineOp } from '../op.ts';
import {
  broadcastStrides,
  broadcastShapes,
  isStatic,
  maxElements,
  sameShape,
  showShape,
  type Shape,
} from '../shape.ts';
import { broadcastIndex } from '../webgpu/wgsl/chain.ts';
import { sumTo } from './sum_to.ts';

const op = defineOp<{ shape: Shape }>({
  name: 'broadcast_to',
  infer: ([x], { shape }) => {
    requireFloats('broadcast_to', [x]);
    if (!sameShape(broadcastShapes('broadcast_to', x.shape, shape), shape)) {
      throw new ShapeError('broadcast_to', `${showShape(x.shape)} is larger than ${showShape(shape)}`);
    }
    return [{ dtype: 'f32', shape }];
  },
  reference: ([x], [y]) => {
    const from = floats('broadcast_to', x.data);
    const to = floats('broadcast_to', y.data);
    const steps = broadcastStrides(x.shape, y.shape);
    const sizes = y.shape;
    const at = new Array<number>(sizes.length).fill(0);
    let j = 0;
    for (let i = 0; i < to.length; i++) {
      to[i] = from[j];
      for (let axis = at.length - 1; axis >= 0; axis--) {
        j += steps[axis];
        if (++at[axis] < sizes[axis]) break;
        j -= steps[axis] * sizes[axis];
        at[axis] = 0;
      }
    }
  },
  // One number to a column, which onnxruntime has no form for where rows are dynamic.
  wasm: (kernel, [x], [y]) => {
    const [rows, width] = y.type.shape;
    if (y.type.shape.length !== 2 || width !== 1 || maxElements(x.type.shape) !== 1) return false;
    const value = kernel.splat(x);
    kernel.rows(rows, width, (_, start) => kernel.storeOne(y, value, start));
    return true;
  },
  wgsl: (lowering, [x], [y]) =>
    lowering.each({
      label: 'broadcast_to',
      reads: { x },
      writes: { y },
      over: y.type.shape,
      body: `y[i] = x[${broadcastIndex('i', x.type.shape, y.type.shape)}];`,
    }),
  gradient: ({ inputs: [x], cotangents: [c] }) => [c && sumTo(c, x.type.shape)],
  onnx: (graph, [x], { outputs: [y] }) =>
    isStatic(y.shape) && !isEmpty(y.shape) ? [graph.one('Expand', [x, graph.int64(y.shape)])] : null,
});

/** `x` repeated to `shape`; `x` itself when it has that shape. Throws `ShapeError` when it does not broadcast. */
export function broadcastTo(x: Value, shape: Shape): Value {
  return sameShape(x.type.shape, shape) ? x : op([x], { shape })[0];
}
