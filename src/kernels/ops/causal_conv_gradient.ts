/**
 * The gradient of `causalConv`, from the last token to the first: dx_t = Σ_i w_{k−1−i} dy_{t+i}, dw_{k−1−i} += dy_{t+i} x_t,
 * db += dy_t, i = 0 … k−1, with dy = 0 after the last token. Sums over tokens run backward inside a sequence, then over
 * sequences.
 */
import { numbers } from '../arithmetic.ts';
import { i32 } from '../cpu/wasm/instructions.ts';
import { floats } from '../dtype.ts';
import type { Value } from '../graph.ts';
import { defineOp } from '../op.ts';
import { overChannels } from './causal_conv_loops.ts';
import { convGradientPasses } from './causal_conv_shader.ts';

const op = defineOp<undefined>({
  name: 'causal_conv_gradient',
  infer: ([, x, w, b]) => [x, w, b],
  reference: (inputs, outputs) => {
    const [dy, x, w] = inputs.map(({ data }) => floats('causal_conv_gradient', data));
    const [dx, dw, db] = outputs.map(({ data }) => floats('causal_conv_gradient', data));
    const [batch, tokens, channels] = inputs[1].shape;
    const [, k] = inputs[2].shape;
    dw.fill(0);
    db.fill(0);
    for (let s = 0; s < batch; s++) {
      for (let c = 0; c < channels; c++) {
        const dwOfSequence = new Float32Array(k);
        let dbOfSequence = 0;
        for (let t = tokens - 1; t >= 0; t--) {
          const at = (s * tokens + t) * channels + c;
          let sum = 0;
          for (let i = 0; i < k; i++) {
            const later = t + i < tokens ? dy[at + i * channels] : 0;
            const product = numbers.mul(w[c * k + k - 1 - i], later);
            sum = i === 0 ? product : numbers.add(sum, product);
            dwOfSequence[k - 1 - i] += numbers.mul(later, x[at]);
          }
          dx[at] = sum;
          dbOfSequence = numbers.add(dbOfSequence, dy[at]);
        }
        for (let j = 0; j < k; j++) dw[c * k + j] += dwOfSequence[j];
        db[c] += dbOfSequence;
      }
    }
  },
  wasm: (kernel, [dy, x, w], [dx, dw, db]) => {
    const { fn, f } = kernel;
    if (![dw, db].every(({ type }) => kernel.takes(type.shape))) return false;
    const [, tokens, channels] = x.type.shape.map(Number);
    for (const sums of [dw, db]) kernel.fill(sums, 0);
    return overChannels(kernel, x.type.shape, w, ({ taps, tapsAt, tapBytes, column, first }) => {
      const fromLast = [...taps].reverse();
      const sums = fromLast.map(() => fn.let(f.constant(0), 'dw'));
      const shift = fn.let(f.constant(0), 'db');
      const after = taps.slice(1).map(() => fn.let(f.constant(0), 'after'));
      fn.loop(i32.const(0), i32.const(tokens), 1, (back) => {
        const t = i32.sub(i32.const(tokens - 1), back);
        const at = fn.let(i32.add(first, i32.mul(t, i32.const(4 * channels))));
        const cotangents = [kernel.load(dy, at), ...after];
        const input = kernel.load(x, at);
        const products = fromLast.map((tap, i) => f.mul(tap, cotangents[i]));
        kernel.store(
          dx,
          products.reduce((sum, product) => f.add(sum, product)),
          at,
        );
        sums.forEach((sum, i) => fn.set(sum, f.add(sum, f.mul(cotangents[i], input))));
        fn.set(shift, f.add(shift, cotangents[0]));
        for (let i = after.length - 1; i >= 0; i--) fn.set(after[i], cotangents[i]);
      });
      [...sums].reverse().forEach((sum, j) => {
        const total = f.add(kernel.loadStrided(dw, tapsAt, tapBytes, 4 * j), sum);
        kernel.storeStrided(dw, total, tapsAt, tapBytes, 4 * j);
      });
      kernel.store(db, f.add(kernel.load(db, column), shift), column);
    });
  },
  wgsl: convGradientPasses,
});

/** d_x [B, T, C], d_w [C, k], d_b [C] of dy [B, T, C]. */
export function causalConvGradient(dy: Value, x: Value, w: Value, b: Value): readonly Value[] {
  return op([dy, x, w, b], undefined);
}
