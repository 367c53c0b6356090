/**
 * Causal depthwise convolution (of a Mamba block, arXiv 2312.00752), channel by channel: y_t = b + Σ_j w_j x_{t−k+1+j}, j = 0 … k−1,
 * with x = 0 before the first token. B sequences, T tokens, C channels, k taps; the last tap is the current token's.
 */
import { numbers } from '../arithmetic.ts';
import { requireFloats, requireRank, staticSize } from '../check.ts';
import { i32 } from '../cpu/wasm/instructions.ts';
import { floats } from '../dtype.ts';
import { ShapeError } from '../errors.ts';
import type { Value } from '../graph.ts';
import { defineOp } from '../op.ts';
import { sameShape, showShape } from '../shape.ts';
import { causalConvGradient } from './causal_conv_gradient.ts';
import { overChannels } from './causal_conv_loops.ts';
import { convPass } from './causal_conv_shader.ts';

const op = defineOp<undefined>({
  name: 'causal_conv',
  infer: ([x, w, b]) => {
    requireFloats('causal_conv', [x, w, b]);
    requireRank('causal_conv', 'x', x, 3);
    requireRank('causal_conv', 'w', w, 2);
    staticSize('causal_conv', 'the number of taps', w.shape[1]);
    const channels = x.shape.slice(2);
    if (sameShape(w.shape.slice(0, 1), channels) && sameShape(b.shape, channels)) return [x];
    const shapes = [x, w, b].map(({ shape }) => showShape(shape)).join(', ');
    throw new ShapeError('causal_conv', `x, w, b of ${shapes} do not fit`);
  },
  reference: ([x, w, b], [y]) => {
    const [from, taps, shift, to] = [x, w, b, y].map(({ data }) => floats('causal_conv', data));
    const [batch, tokens, channels] = x.shape;
    const [, k] = w.shape;
    for (let s = 0; s < batch; s++) {
      for (let t = 0; t < tokens; t++) {
        for (let c = 0; c < channels; c++) {
          let sum = shift[c];
          for (let j = 0; j < k; j++) {
            const token = t - k + 1 + j;
            const value = token < 0 ? 0 : from[(s * tokens + token) * channels + c];
            sum = numbers.add(sum, numbers.mul(taps[c * k + j], value));
          }
          to[(s * tokens + t) * channels + c] = sum;
        }
      }
    }
  },
  wasm: (kernel, [x, w, b], [y]) => {
    const { fn, f } = kernel;
    const [, tokens, channels] = x.type.shape.map(Number);
    return overChannels(kernel, x.type.shape, w, ({ taps, column, first }) => {
      const shift = kernel.load(b, column);
      const before = taps.slice(1).map(() => fn.let(f.constant(0), 'before'));
      fn.loop(i32.const(0), i32.const(tokens), 1, (t) => {
        const at = fn.let(i32.add(first, i32.mul(t, i32.const(4 * channels))));
        const window = [...before, kernel.load(x, at)];
        kernel.store(
          y,
          taps.reduce((sum, tap, j) => f.add(sum, f.mul(tap, window[j])), shift),
          at,
        );
        before.forEach((local, j) => fn.set(local, window[j + 1]));
      });
    });
  },
  wgsl: convPass,
  gradient: ({ inputs: [x, w, b], cotangents: [c] }) => (c === null ? [] : causalConvGradient(c, x, w, b)),
});

/** x [B, T, C], w [C, k], b [C] → [B, T, C]; B may be dynamic. Throws `ShapeError` when they do not fit. */
export function causalConv(x: Value, w: Value, b: Value): Value {
  return op([x, w, b], undefined)[0];
}
