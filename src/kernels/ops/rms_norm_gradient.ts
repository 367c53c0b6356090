/**
 * The gradients of `rmsNorm`. Of x, row by row: dx = r·(w·dy − x·r²·mean(w·dy·x)) with r the row's reciprocal root mean
 * square. Of w: the sum over rows, in row order, of dy·x·r.
 */
import { isEmpty } from '../check.ts';
import { floats } from '../dtype.ts';
import type { Value } from '../graph.ts';
import { defineOp } from '../op.ts';

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
      let dot = 0;
      for (let i = 0; i < width; i++) dot += c[at + i] * scale[i] * from[at + i];
      const inverse = root[r];
      const pull = Math.fround((dot / width) * inverse * inverse);
      for (let i = 0; i < width; i++) to[at + i] = inverse * (c[at + i] * scale[i] - from[at + i] * pull);
    }
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
      const inverse = root[r];
      for (let i = 0; i < width; i++) to[i] += Math.fround(c[at + i] * Math.fround(from[at + i] * inverse));
    }
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
