/**
 * Sums a value down to a shape that broadcasts to it: the gradient of broadcasting. Sums run in row-major order, one
 * addition after another.
 */
import { floats } from '../dtype.ts';
import type { Value } from '../graph.ts';
import { defineOp } from '../op.ts';
import { broadcastStrides, sameShape, type Shape } from '../shape.ts';
import { reductionPass } from '../webgpu/wgsl/reduction.ts';
import { addRows } from './reduce.ts';

const op = defineOp<{ shape: Shape }>({
  name: 'sum_to',
  infer: ([x], { shape }) => [{ dtype: x.dtype, shape }],
  reference: ([x], [y]) => {
    const from = floats('sum_to', x.data);
    const to = floats('sum_to', y.data);
    to.fill(0);
    const steps = broadcastStrides(y.shape, x.shape);
    const at = new Array<number>(x.shape.length).fill(0);
    let j = 0;
    for (const value of from) {
      to[j] = to[j] + value;
      for (let axis = at.length - 1; axis >= 0; axis--) {
        j += steps[axis];
        if (++at[axis] < x.shape[axis]) break;
        j -= steps[axis] * x.shape[axis];
        at[axis] = 0;
      }
    }
  },
  // Onto a row: the gradient of a bias, of a scale.
  wasm: (kernel, [x], [y], { shape }) => {
    const { shape: whole } = x.type;
    const row = shape.slice(shape.findIndex((dim) => dim !== 1));
    if (x.type.dtype !== 'f32' || row.length === 0 || row.length >= whole.length) return false;
    return sameShape(whole.slice(-row.length), row) && addRows(kernel, x, y, row);
  },
  wgsl: (lowering, [x], [y], { shape }) => {
    const missing = x.type.shape.length - shape.length;
    const axes = x.type.shape.flatMap((dim, axis) =>
      axis < missing || (shape[axis - missing] === 1 && dim !== 1) ? [axis] : [],
    );
    reductionPass(lowering, { label: 'sum_to', x, y, axes, kind: 'sum' });
  },
});

/** `x` summed to `shape`; `x` itself when it has that shape already. */
export function sumTo(x: Value, shape: Shape): Value {
  return sameShape(x.type.shape, shape) ? x : op([x], { shape })[0];
}
