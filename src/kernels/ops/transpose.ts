/**
 * Axes in another order: axis i of the result is axis permutation[i] of x.
 */
import { isEmpty } from '../check.ts';
import { copyRuns } from '../cpu/wasm/copy_runs.ts';
import { ShapeError } from '../errors.ts';
import type { Value } from '../graph.ts';
import { defineOp } from '../op.ts';
import { isStatic, showShape, strides } from '../shape.ts';
import { transposePass } from '../webgpu/wgsl/copies.ts';

const op = defineOp<{ permutation: readonly number[] }>({
  name: 'transpose',
  infer: ([x], { permutation }) => {
    const sorted = [...permutation].sort((a, b) => a - b);
    if (sorted.length !== x.shape.length || sorted.some((axis, i) => axis !== i)) {
      throw new ShapeError('transpose', `[${permutation.join(', ')}] does not permute ${showShape(x.shape)}`);
    }
    return [{ dtype: x.dtype, shape: permutation.map((axis) => x.shape[axis]) }];
  },
  reference: ([x], [y], { permutation }) => {
    const from = x.data;
    const to = y.data;
    const own = strides(x.shape);
    const steps = permutation.map((axis) => own[axis]);
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
  // Rows that stay whole.
  wasm: (kernel, [x], [y], { permutation }) => {
    const last = permutation.length - 1;
    if (!isStatic(x.type.shape) || !isStatic(y.type.shape) || permutation[last] !== last) return false;
    const [from, to] = [strides(x.type.shape), strides(y.type.shape)];
    const walks = y.type.shape.map((count, axis) => ({ count, from: from[permutation[axis]], to: to[axis] }));
    return copyRuns(kernel, x, y, x.type.shape[last], walks.slice(0, last));
  },
  wgsl: (lowering, [x], [y], { permutation }) => transposePass(lowering, x, y, permutation),
  cheap: true,
  gradient: ({ cotangents: [c] }, { permutation }) => [c && transpose(c, inverse(permutation))],
  onnx: (graph, [x], { outputs: [y] }, { permutation }) =>
    isEmpty(y.shape) || y.dtype === 'bf16' ? null : [graph.one('Transpose', [x], { perm: permutation })],
});

/** `x` with its axes permuted. Throws `ShapeError` when `permutation` is none of its axes. */
export function transpose(x: Value, permutation: readonly number[]): Value {
  return op([x], { permutation })[0];
}

function inverse(permutation: readonly number[]): number[] {
  const out = new Array<number>(permutation.length);
  permutation.forEach((axis, i) => (out[axis] = i));
  return out;
}
