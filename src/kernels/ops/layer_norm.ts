/**
 * y = w · (x − mean x) / sqrt(var x + ε) + b over the last axis (papers.md §1.1). Each row's mean and reciprocal standard
 * deviation go to the gradient. R rows, D hidden.
 */
import { isEmpty, requireFloats, requireRank } from '../check.ts';
import { floats } from '../dtype.ts';
import { ShapeError } from '../errors.ts';
import type { Value } from '../graph.ts';
import { defineOp } from '../op.ts';
import type { Type } from '../type.ts';
import { sameShape, showShape } from '../shape.ts';
import { layerNormGradient, layerNormWeightGradient } from './layer_norm_gradient.ts';
import { sumTo } from './sum_to.ts';

const op = defineOp<{ epsilon: number }>({
  name: 'layer_norm',
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
      let sum = 0;
      for (let i = at; i < at + width; i++) sum += from[i];
      const middle = Math.fround(sum / width);
      let squares = 0;
      for (let i = at; i < at + width; i++) squares += (from[i] - middle) ** 2;
      const inverse = Math.fround(1 / Math.sqrt(squares / width + epsilon));
      mean_[r] = middle;
      rstd_[r] = inverse;
      for (let i = 0; i < width; i++) to[at + i] = (from[at + i] - middle) * inverse * scale[i] + shift[i];
    }
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
