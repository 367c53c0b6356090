/**
 * y = w · (x − mean x) / sqrt(var x + ε) + b over the last axis (arXiv 1607.06450). Each row's mean and reciprocal standard
 * deviation go to the gradient. R rows, D hidden.
 */
import { numbers } from '../arithmetic.ts';
import { isEmpty, requireFloats, requireRank } from '../check.ts';
import { floats } from '../dtype.ts';
import { ShapeError } from '../errors.ts';
import type { Value } from '../graph.ts';
import { laneSum } from '../lane_sum.ts';
import { defineOp } from '../op.ts';
import type { Type } from '../type.ts';
import { sameShape, showShape } from '../shape.ts';
import { innerOf } from '../webgpu/lowering.ts';
import { literal } from '../webgpu/wgsl/arithmetic.ts';
import { layerNormGradient, layerNormWeightGradient } from './layer_norm_gradient.ts';
import { inverseRoot } from './rms_norm.ts';
import { sumTo } from './sum_to.ts';

const op = defineOp<{ epsilon: number }>({
  name: 'layer_norm',
  cheap: true,
  infer: ([x, w, b]) => {
    requireFloats('layer_norm', [x, w, b]);
    requireRank('layer_norm', 'x', x, 2);
    for (const { shape } of [w, b]) {
      if (!sameShape(shape, x.shape.slice(1))) {
        throw new ShapeError('layer_norm', `x ${showShape(x.shape)} and ${showShape(shape)} differ in width`);
      }
    }
    const column: Type = { dtype: 'f32', shape: [x.shape[0], 1] };
    return [x, column, column];
  },
  reference: ([x, w, b], [y, mean, rstd], { epsilon }) => {
    const from = floats('layer_norm', x.data);
    const scale = floats('layer_norm', w.data);
    const shift = floats('layer_norm', b.data);
    const to = floats('layer_norm', y.data);
    const mean_ = floats('layer_norm', mean.data);
    const rstd_ = floats('layer_norm', rstd.data);
    const [rows, width] = x.shape;
    for (let r = 0; r < rows; r++) {
      const at = r * width;
      const sum = laneSum(width, (i) => from[at + i]);
      const middle = numbers.div(sum, width);
      const squares = laneSum(width, (i) => {
        const centred = numbers.sub(from[at + i], middle);
        return numbers.mul(centred, centred);
      });
      const inverse = inverseRoot(numbers, squares, width, epsilon);
      mean_[r] = middle;
      rstd_[r] = inverse;
      for (let i = 0; i < width; i++) {
        const normal = numbers.mul(numbers.sub(from[at + i], middle), inverse);
        to[at + i] = numbers.add(numbers.mul(normal, scale[i]), shift[i]);
      }
    }
  },
  wasm: (kernel, [x, w, b], [y, mean, rstd], { epsilon }) => {
    const { f } = kernel;
    return kernel.overRows(x.type.shape, (width, start, row) => {
      const sum = kernel.sum(width, start, (at, offset) => kernel.load(x, at, offset));
      const middle = f.div(sum, f.constant(width));
      const squares = kernel.sum(width, start, (at, offset) => {
        const centred = f.sub(kernel.load(x, at, offset), middle);
        return f.mul(centred, centred);
      });
      const inverse = inverseRoot(f, squares, width, epsilon);
      kernel.storeOne(mean, middle, kernel.elementAt(row));
      kernel.storeOne(rstd, inverse, kernel.elementAt(row));
      kernel.across(width, (column, offset) => {
        const at = kernel.in(start, column);
        const normal = f.mul(f.sub(kernel.load(x, at, offset), middle), inverse);
        const scaled = f.mul(normal, kernel.load(w, column, offset));
        kernel.store(y, f.add(scaled, kernel.load(b, column, offset)), at, offset);
      });
    });
  },
  wgsl: (lowering, [x, w, b], [y, mean, rstd], { epsilon }) => {
    const width = innerOf(x.type.shape);
    lowering.rows({
      label: 'layer_norm',
      reads: { x, w, b },
      writes: { y, mean, rstd },
      over: x.type.shape.slice(0, 1),
      width,
      body: (row) => `let at = row * ${width}u;
var part = 0f;
${row.each('c', 'part += x[at + c];')}
let middle = ${row.sum('part')} / ${width}f;
var squares = 0f;
${row.each('c', 'let centred = x[at + c] - middle; squares += centred * centred;')}
let inverse = 1f / sqrt(${row.sum('squares')} / ${width}f + ${literal(epsilon)});
${row.each('c', 'y[at + c] = (x[at + c] - middle) * inverse * w[c] + b[c];')}
${row.once('mean[row] = middle; rstd[row] = inverse;')}`,
    });
  },
  gradient: ({ inputs: [x, w, b], outputs: [, mean, rstd], cotangents: [c] }) => [
    c && layerNormGradient(c, x, w, mean, rstd),
    c && layerNormWeightGradient(c, x, mean, rstd),
    c && sumTo(c, b.type.shape),
  ],
  onnx: (graph, inputs, { inputs: [{ shape }] }, { epsilon }) =>
    isEmpty(shape) ? null : graph.op('LayerNormalization', inputs, { axis: -1, epsilon: { float: epsilon } }, 3),
});

/** x [R, D], w [D], b [D] → [R, D]; R may be dynamic. */
export function layerNorm(x: Value, w: Value, b: Value, epsilon: number): Value {
  return op([x, w, b], { epsilon })[0];
}
