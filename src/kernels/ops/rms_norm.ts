/**
 * y = w · x / sqrt(mean x² + ε) over the last axis (arXiv 1910.07467). Statistics are fp32; the reciprocal root mean square
 * of each row goes to the gradient. R rows, D hidden.
 */
import { numbers, type Arithmetic } from '../arithmetic.ts';
import { isEmpty, requireFloats, requireRank } from '../check.ts';
import { floats } from '../dtype.ts';
import { ShapeError } from '../errors.ts';
import type { Value } from '../graph.ts';
import { laneSum } from '../lane_sum.ts';
import { defineOp } from '../op.ts';
import { sameDim, showShape } from '../shape.ts';
import { innerOf } from '../webgpu/lowering.ts';
import { literal } from '../webgpu/wgsl/arithmetic.ts';
import { rmsNormGradient, rmsNormWeightGradient } from './rms_norm_gradient.ts';

const op = defineOp<{ epsilon: number }>({
  name: 'rms_norm',
  cheap: true,
  infer: ([x, w]) => {
    requireFloats('rms_norm', [x, w]);
    requireRank('rms_norm', 'x', x, 2);
    requireRank('rms_norm', 'w', w, 1);
    if (!sameDim(x.shape[1], w.shape[0])) {
      throw new ShapeError('rms_norm', `x ${showShape(x.shape)} and w ${showShape(w.shape)} differ in width`);
    }
    return [x, { dtype: 'f32', shape: [x.shape[0], 1] }];
  },
  reference: ([x, w], [y, rstd], { epsilon }) => {
    const from = floats('rms_norm', x.data);
    const scale = floats('rms_norm', w.data);
    const to = floats('rms_norm', y.data);
    const root = floats('rms_norm', rstd.data);
    const [rows, width] = x.shape;
    for (let r = 0; r < rows; r++) {
      const at = r * width;
      const squares = laneSum(width, (i) => numbers.mul(from[at + i], from[at + i]));
      const inverse = inverseRoot(numbers, squares, width, epsilon);
      root[r] = inverse;
      for (let i = 0; i < width; i++) to[at + i] = numbers.mul(numbers.mul(from[at + i], inverse), scale[i]);
    }
  },
  wasm: (kernel, [x, w], [y, rstd], { epsilon }) => {
    const { f } = kernel;
    return kernel.overRows(x.type.shape, (width, start, row) => {
      const squares = kernel.sum(width, start, (at, offset) => {
        const element = kernel.load(x, at, offset);
        return f.mul(element, element);
      });
      const inverse = inverseRoot(f, squares, width, epsilon);
      kernel.storeOne(rstd, inverse, kernel.elementAt(row));
      kernel.across(width, (column, offset) => {
        const at = kernel.in(start, column);
        kernel.store(y, f.mul(f.mul(kernel.load(x, at, offset), inverse), kernel.load(w, column, offset)), at, offset);
      });
    });
  },
  wgsl: (lowering, [x, w], [y, rstd], { epsilon }) => {
    const width = innerOf(x.type.shape);
    lowering.rows({
      label: 'rms_norm',
      reads: { x, w },
      writes: { y, rstd },
      over: x.type.shape.slice(0, 1),
      width,
      body: (row) => `let at = row * ${width}u;
var part = 0f;
${row.each('c', 'part += x[at + c] * x[at + c];')}
let inverse = 1f / sqrt(${row.sum('part')} / ${width}f + ${literal(epsilon)});
${row.each('c', 'y[at + c] = x[at + c] * inverse * w[c];')}
${row.once('rstd[row] = inverse;')}`,
    });
  },
  gradient: ({ inputs: [x, w], outputs: [, rstd], cotangents: [c] }) => [
    c && rmsNormGradient(c, x, w, rstd),
    c && rmsNormWeightGradient(c, x, rstd),
  ],
  onnx: (graph, inputs, { inputs: [x] }, { epsilon }) =>
    isEmpty(x.shape)
      ? null
      : graph.op('SimplifiedLayerNormalization', inputs, { axis: -1, epsilon: { float: epsilon } }, 2),
});

/** 1 / sqrt(sum / width + ε). */
export function inverseRoot<T>(f: Arithmetic<T>, sum: T, width: number, epsilon: number): T {
  return f.div(f.constant(1), f.sqrt(f.add(f.div(sum, f.constant(width)), f.constant(epsilon))));
}

/** x [R, D], w [D] → [R, D]; R may be dynamic. */
export function rmsNorm(x: Value, w: Value, epsilon: number): Value {
  return op([x, w], { epsilon })[0];
}
