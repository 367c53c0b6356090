/**
 * The gradients of `layerNorm`. With n = (x − mean) · r and g = w · dy: dx = r · (g − mean g − n · mean(g · n)), row by
 * row; dw = Σ dy · n in row order. (The gradient of b is a plain sum over rows.)
 */
import { numbers, type Arithmetic } from '../arithmetic.ts';
import { i32, type I32 } from '../cpu/wasm/instructions.ts';
import { floats } from '../dtype.ts';
import type { Value } from '../graph.ts';
import { laneSum } from '../lane_sum.ts';
import { defineOp } from '../op.ts';
import { innerOf } from '../webgpu/lowering.ts';
import { columnSums } from '../webgpu/wgsl/column_sums.ts';

/** r² · mean(g · (x − mean)). */
function pullOf<T>(f: Arithmetic<T>, dot: T, inverse: T, width: number): T {
  return f.mul(f.mul(f.div(dot, f.constant(width)), inverse), inverse);
}

/** r · (g − mean g − (x − mean) · pull). */
function gradientOf<T>(f: Arithmetic<T>, g: T, centred: T, inverse: T, shift: T, pull: T): T {
  return f.mul(inverse, f.sub(f.sub(g, shift), f.mul(centred, pull)));
}

const ofX = defineOp<undefined>({
  name: 'layer_norm_gradient',
  infer: ([dy]) => [dy],
  reference: ([dy, x, w, mean, rstd], [dx]) => {
    const c = floats('layer_norm_gradient', dy.data);
    const from = floats('layer_norm_gradient', x.data);
    const scale = floats('layer_norm_gradient', w.data);
    const mean_ = floats('layer_norm_gradient', mean.data);
    const rstd_ = floats('layer_norm_gradient', rstd.data);
    const to = floats('layer_norm_gradient', dx.data);
    const [rows, width] = x.shape;
    for (let r = 0; r < rows; r++) {
      const at = r * width;
      const [middle, inverse] = [mean_[r], rstd_[r]];
      const g = (i: number): number => numbers.mul(c[at + i], scale[i]);
      const centred = (i: number): number => numbers.sub(from[at + i], middle);
      const shift = numbers.div(laneSum(width, g), width);
      const dot = laneSum(width, (i) => numbers.mul(g(i), centred(i)));
      const pull = pullOf(numbers, dot, inverse, width);
      for (let i = 0; i < width; i++) to[at + i] = gradientOf(numbers, g(i), centred(i), inverse, shift, pull);
    }
  },
  wasm: (kernel, [dy, x, w, mean, rstd], [dx]) => {
    const { f } = kernel;
    return kernel.overRows(x.type.shape, (width, start, row) => {
      const middle = kernel.splat(mean, kernel.elementAt(row));
      const inverse = kernel.splat(rstd, kernel.elementAt(row));
      const g = (column: I32, offset: number) =>
        f.mul(kernel.load(dy, kernel.in(start, column), offset), kernel.load(w, column, offset));
      const centred = (column: I32, offset: number) => f.sub(kernel.load(x, kernel.in(start, column), offset), middle);
      const zero = i32.const(0);
      const shift = f.div(kernel.sum(width, zero, g), f.constant(width));
      const dot = kernel.sum(width, zero, (column, offset) => f.mul(g(column, offset), centred(column, offset)));
      const pull = pullOf(f, dot, inverse, width);
      kernel.across(width, (column, offset) => {
        const gradient = gradientOf(f, g(column, offset), centred(column, offset), inverse, shift, pull);
        kernel.store(dx, gradient, kernel.in(start, column), offset);
      });
    });
  },
  wgsl: (lowering, [dy, x, w, mean, rstd], [dx]) => {
    const width = innerOf(x.type.shape);
    lowering.rows({
      label: 'layer_norm_gradient',
      reads: { dy, x, w, mean, rstd },
      writes: { dx },
      over: x.type.shape.slice(0, 1),
      width,
      body: (row) => `let at = row * ${width}u;
let middle = mean[row];
let inverse = rstd[row];
var shifts = 0f;
var dots = 0f;
${row.each('c', 'let g = dy[at + c] * w[c]; shifts += g; dots += g * (x[at + c] - middle);')}
let shift = ${row.sum('shifts')} / ${width}f;
let pull = ${row.sum('dots')} / ${width}f * inverse * inverse;
${row.each('c', 'dx[at + c] = inverse * (dy[at + c] * w[c] - shift - (x[at + c] - middle) * pull);')}`,
    });
  },
});

const ofW = defineOp<undefined>({
  name: 'layer_norm_weight_gradient',
  infer: ([, x]) => [{ dtype: 'f32', shape: x.shape.slice(1) }],
  reference: ([dy, x, mean, rstd], [dw]) => {
    const c = floats('layer_norm_weight_gradient', dy.data);
    const from = floats('layer_norm_weight_gradient', x.data);
    const mean_ = floats('layer_norm_weight_gradient', mean.data);
    const rstd_ = floats('layer_norm_weight_gradient', rstd.data);
    const to = floats('layer_norm_weight_gradient', dw.data);
    const [rows, width] = x.shape;
    to.fill(0);
    for (let r = 0, at = 0; r < rows; r++, at += width) {
      const [middle, inverse] = [mean_[r], rstd_[r]];
      for (let i = 0; i < width; i++) {
        const normal = numbers.mul(numbers.sub(from[at + i], middle), inverse);
        to[i] = numbers.add(to[i], numbers.mul(c[at + i], normal));
      }
    }
  },
  wasm: (kernel, [dy, x, mean, rstd], [dw]) => {
    const { f } = kernel;
    kernel.fill(dw, 0);
    return kernel.overRows(x.type.shape, (width, start, row) => {
      const middle = kernel.splat(mean, kernel.elementAt(row));
      const inverse = kernel.splat(rstd, kernel.elementAt(row));
      kernel.across(width, (column, offset) => {
        const at = kernel.in(start, column);
        const normal = f.mul(f.sub(kernel.load(x, at, offset), middle), inverse);
        const part = f.mul(kernel.load(dy, at, offset), normal);
        kernel.store(dw, f.add(kernel.load(dw, column, offset), part), column, offset);
      });
    });
  },
  wgsl: (lowering, [dy, x, mean, rstd], [dw]) => {
    const columns = innerOf(x.type.shape);
    columnSums(lowering, {
      label: 'layer_norm_weight_gradient',
      reads: { dy, x, mean, rstd },
      rows: x.type.shape.slice(0, 1),
      columns,
      term: `dy[r * ${columns}u + c] * (x[r * ${columns}u + c] - mean[r]) * rstd[r]`,
      out: dw,
    });
  },
});

/** dx [R, D] of dy [R, D]; `mean` and `rstd` [R, 1] are the forward's. */
export function layerNormGradient(dy: Value, x: Value, w: Value, mean: Value, rstd: Value): Value {
  return ofX([dy, x, w, mean, rstd], undefined)[0];
}

/** dw [D] of dy [R, D], summed over rows in row order. */
export function layerNormWeightGradient(dy: Value, x: Value, mean: Value, rstd: Value): Value {
  return ofW([dy, x, mean, rstd], undefined)[0];
}
