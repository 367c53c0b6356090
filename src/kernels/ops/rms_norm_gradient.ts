/**
 * The gradients of `rmsNorm`. Of x, row by row: dx = r·(w·dy − x·r²·mean(w·dy·x)) with r the row's reciprocal root mean
 * square. Of w: the sum over rows, in row order, of dy·x·r.
 */
import { numbers, type Arithmetic } from '../arithmetic.ts';
import { isEmpty } from '../check.ts';
import { i32, type I32 } from '../cpu/wasm/instructions.ts';
import { floats } from '../dtype.ts';
import type { Value } from '../graph.ts';
import { laneSum } from '../lane_sum.ts';
import { defineOp } from '../op.ts';
import { innerOf } from '../webgpu/lowering.ts';
import { columnSums } from '../webgpu/wgsl/column_sums.ts';

const zero = i32.const(0);

/** r² · mean(w · dy · x). */
function pullOf<T>(f: Arithmetic<T>, dot: T, inverse: T, width: number): T {
  return f.mul(f.mul(f.div(dot, f.constant(width)), inverse), inverse);
}

/** r · (w · dy − x · pull). */
function gradientOf<T>(f: Arithmetic<T>, c: T, scale: T, x: T, inverse: T, pull: T): T {
  return f.mul(inverse, f.sub(f.mul(c, scale), f.mul(x, pull)));
}

const ofX = defineOp<undefined>({
  name: 'rms_norm_gradient',
  infer: ([dy]) => [dy],
  reference: ([dy, x, w, rstd], [dx]) => {
    const c = floats('rms_norm_gradient', dy.data);
    const from = floats('rms_norm_gradient', x.data);
    const scale = floats('rms_norm_gradient', w.data);
    const root = floats('rms_norm_gradient', rstd.data);
    const to = floats('rms_norm_gradient', dx.data);
    const [rows, width] = x.shape;
    for (let r = 0; r < rows; r++) {
      const at = r * width;
      const dot = laneSum(width, (i) => numbers.mul(numbers.mul(c[at + i], scale[i]), from[at + i]));
      const pull = pullOf(numbers, dot, root[r], width);
      for (let i = 0; i < width; i++) {
        to[at + i] = gradientOf(numbers, c[at + i], scale[i], from[at + i], root[r], pull);
      }
    }
  },
  wasm: (kernel, [dy, x, w, rstd], [dx]) => {
    const { f } = kernel;
    return kernel.overRows(x.type.shape, (width, start, row) => {
      const inverse = kernel.splat(rstd, kernel.elementAt(row));
      const elements = (column: I32, offset: number) => {
        const at = kernel.in(start, column);
        return {
          at,
          c: kernel.load(dy, at, offset),
          scale: kernel.load(w, column, offset),
          x: kernel.load(x, at, offset),
        };
      };
      const dot = kernel.sum(width, zero, (column, offset) => {
        const { c, scale, x } = elements(column, offset);
        return f.mul(f.mul(c, scale), x);
      });
      const pull = pullOf(f, dot, inverse, width);
      kernel.across(width, (column, offset) => {
        const { at, c, scale, x } = elements(column, offset);
        kernel.store(dx, gradientOf(f, c, scale, x, inverse, pull), at, offset);
      });
    });
  },
  wgsl: (lowering, [dy, x, w, rstd], [dx]) => {
    const width = innerOf(x.type.shape);
    lowering.rows({
      label: 'rms_norm_gradient',
      reads: { dy, x, w, rstd },
      writes: { dx },
      over: x.type.shape.slice(0, 1),
      width,
      body: (row) => `let at = row * ${width}u;
let inverse = rstd[row];
var part = 0f;
${row.each('c', 'part += dy[at + c] * w[c] * x[at + c];')}
let pull = ${row.sum('part')} / ${width}f * inverse * inverse;
${row.each('c', 'dx[at + c] = inverse * (dy[at + c] * w[c] - x[at + c] * pull);')}`,
    });
  },
  onnx: (graph, [dy, x, w, rstd], { inputs: [, { shape }] }) => {
    const width = Number(shape[1]);
    // onnxruntime's ReduceSum gives a row the same bits everywhere only at multiples of 16.
    if (isEmpty(shape) || width % 16 !== 0) return null;
    const product = (a: string, b: string) => graph.one('Mul', [a, b]);
    const g = product(dy, w);
    const dot = graph.one('ReduceSum', [product(g, x), graph.int64([-1])], { keepdims: 1 });
    const pull = product(product(product(rstd, rstd), dot), graph.float32([1 / width], []));
    return [product(graph.one('Sub', [g, product(x, pull)]), rstd)];
  },
});

const ofW = defineOp<undefined>({
  name: 'rms_norm_weight_gradient',
  infer: ([, x]) => [{ dtype: 'f32', shape: x.shape.slice(1) }],
  reference: ([dy, x, rstd], [dw]) => {
    const c = floats('rms_norm_weight_gradient', dy.data);
    const from = floats('rms_norm_weight_gradient', x.data);
    const root = floats('rms_norm_weight_gradient', rstd.data);
    const to = floats('rms_norm_weight_gradient', dw.data);
    const [rows, width] = x.shape;
    to.fill(0);
    for (let r = 0, at = 0; r < rows; r++, at += width) {
      for (let i = 0; i < width; i++) {
        to[i] = numbers.add(to[i], numbers.mul(c[at + i], numbers.mul(from[at + i], root[r])));
      }
    }
  },
  wasm: (kernel, [dy, x, rstd], [dw]) => {
    const { f } = kernel;
    kernel.fill(dw, 0);
    return kernel.overRows(x.type.shape, (width, start, row) => {
      const inverse = kernel.splat(rstd, kernel.elementAt(row));
      kernel.across(width, (column, offset) => {
        const at = kernel.in(start, column);
        const part = f.mul(kernel.load(dy, at, offset), f.mul(kernel.load(x, at, offset), inverse));
        kernel.store(dw, f.add(kernel.load(dw, column, offset), part), column, offset);
      });
    });
  },
  wgsl: (lowering, [dy, x, rstd], [dw]) => {
    const columns = innerOf(x.type.shape);
    const term = `dy[r * ${columns}u + c] * x[r * ${columns}u + c] * rstd[r]`;
    const rows = x.type.shape.slice(0, 1);
    columnSums(lowering, { label: 'rms_norm_weight_gradient', reads: { dy, x, rstd }, rows, columns, term, out: dw });
  },
  // Over the first axis ReduceSum adds row after row, as the reference does.
  onnx: (graph, [dy, x, rstd], { inputs: [, { shape }] }) =>
    isEmpty(shape)
      ? null
      : [
          graph.one('ReduceSum', [graph.one('Mul', [dy, graph.one('Mul', [x, rstd])]), graph.int64([0])], {
            keepdims: 0,
          }),
        ],
});

/** dx [R, D] of dy [R, D], from x [R, D], w [D] and the forward's reciprocal root mean squares [R, 1]. */
export function rmsNormGradient(dy: Value, x: Value, w: Value, rstd: Value): Value {
  return ofX([dy, x, w, rstd], undefined)[0];
}

/** dw [D] of dy [R, D], summed over rows in row order. */
export function rmsNormWeightGradient(dy: Value, x: Value, rstd: Value): Value {
  return ofW([dy, x, rstd], undefined)[0];
}
