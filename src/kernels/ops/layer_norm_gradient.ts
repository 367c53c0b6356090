/**
 * The gradients of `layerNorm`. With n = (x − mean) · r and g = w · dy: dx = r · (g − mean g − n · mean(g · n)), row by
 * row; dw = Σ dy · n in row order. (The gradient of b is a plain sum over rows.)
 */
import { floats } from '../dtype.ts';
import type { Value } from '../graph.ts';
import { defineOp } from '../op.ts';

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
      let sum = 0;
      let dot = 0;
      for (let i = 0; i < width; i++) {
        const g = c[at + i] * scale[i];
        sum += g;
        dot += g * (from[at + i] - middle);
      }
      const shift = sum / width;
      const pull = (dot / width) * inverse * inverse;
      for (let i = 0; i < width; i++) {
        to[at + i] = inverse * (c[at + i] * scale[i] - shift - (from[at + i] - middle) * pull);
      }
    }
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
      for (let i = 0; i < width; i++) to[i] += c[at + i] * Math.fround((from[at + i] - middle) * inverse);
    }
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
