/**
 * The gradient of `causalConv`, from the last token to the first, then to the rows of a state: dx_t = Σ_i w_{k−1−i} dy_{t+i},
 * dw_{k−1−i} += dy_{t+i} x_t, db += dy_t, i = 0 … k−1, with dy = 0 after the last token and behind the end of t's sample. Sums over
 * tokens run backward inside a sequence, then over sequences.
 */
import { numbers } from '../arithmetic.ts';
import { i32, type V128 } from '../cpu/wasm/instructions.ts';
import { floats } from '../dtype.ts';
import type { Value } from '../graph.ts';
import { defineOp } from '../op.ts';
import type { Operand } from '../type.ts';
import { overChannels, stateAt, tokenRow, type ConvAttributes } from './causal_conv_loops.ts';
import { convGradientPasses } from './causal_conv_shader.ts';
import { given } from './given.ts';
import { beginsOf, emitIsBegin } from './sample_begins.ts';

const op = defineOp<ConvAttributes>({
  name: 'causal_conv_gradient',
  infer: ([, x, w, b, state], { hasState }) => (hasState ? [x, w, b, state] : [x, w, b]),
  reference: (inputs, outputs, { hasState, hasBegins }) => {
    const floatsOf = ({ data }: Operand) => floats('causal_conv_gradient', data);
    const [dy, x, w] = inputs.slice(0, 3).map(floatsOf);
    const [dx, dw, db, dState] = outputs.map(floatsOf);
    const [state, begins] = given(inputs, 4, [hasState, hasBegins]);
    const before = state && floatsOf(state);
    const [batch, tokens, channels] = inputs[1].shape;
    const [, k] = inputs[2].shape;
    const isBegin = beginsOf('causal_conv_gradient', begins, tokens, hasState);
    dw.fill(0);
    db.fill(0);
    for (let s = 0; s < batch; s++) {
      for (let c = 0; c < channels; c++) {
        const dwOfSequence = new Float32Array(k);
        let dbOfSequence = 0;
        /** The end of the sample that the token is of. */
        let end = tokens;
        for (let t = tokens - 1; t >= (before === undefined ? 0 : 1 - k); t--) {
          const at = (s * tokens + t) * channels + c;
          const atState = (s * (k - 1) + t + k - 1) * channels + c;
          const value = t >= 0 || before === undefined ? x[at] : before[atState];
          let sum = 0;
          for (let i = 0; i < k; i++) {
            const later = t + i >= 0 && t + i < end ? dy[at + i * channels] : 0;
            const product = numbers.mul(w[c * k + k - 1 - i], later);
            sum = i === 0 ? product : numbers.add(sum, product);
            dwOfSequence[k - 1 - i] += numbers.mul(later, value);
          }
          if (t < 0) {
            dState[atState] = sum;
            continue;
          }
          dx[at] = sum;
          dbOfSequence = numbers.add(dbOfSequence, dy[at]);
          if (isBegin(s, t)) end = t;
        }
        for (let j = 0; j < k; j++) dw[c * k + j] += dwOfSequence[j];
        db[c] += dbOfSequence;
      }
    }
  },
  wasm: (kernel, [dy, x, w, , ...rest], [dx, dw, db, dState], { hasState, hasBegins }) => {
    const { fn, f } = kernel;
    if (![dw, db].every(({ type }) => kernel.takes(type.shape))) return false;
    const [tokens, channels] = x.type.shape.slice(1).map(Number);
    const [state, begins] = given(rest, 0, [hasState, hasBegins]);
    for (const sums of [dw, db]) kernel.fill(sums, 0);
    return overChannels(kernel, x.type.shape, w, (own) => {
      const { sequence, taps, tapsAt, tapBytes, column, first } = own;
      const fromLast = [...taps].reverse();
      const sums = fromLast.map(() => fn.let(f.constant(0), 'dw'));
      const shift = fn.let(f.constant(0), 'db');
      const after = taps.slice(1).map(() => fn.let(f.constant(0), 'after'));
      /** Of a row its gradient, from its own cotangent and those after it, which move on by one. */
      const step = (cotangent: V128, input: V128): V128 => {
        const cotangents = [cotangent, ...after];
        const products = fromLast.map((tap, i) => f.mul(tap, cotangents[i]));
        const sum = fn.let(products.reduce((total, product) => f.add(total, product)));
        sums.forEach((total, i) => fn.set(total, f.add(total, f.mul(cotangents[i], input))));
        for (let i = after.length - 1; i >= 0; i--) fn.set(after[i], cotangents[i]);
        return sum;
      };
      fn.loop(i32.const(0), i32.const(tokens), 1, (back) => {
        const t = fn.let(i32.sub(i32.const(tokens - 1), back));
        const at = fn.let(i32.add(first, i32.mul(t, i32.const(4 * channels))));
        const cotangent = kernel.load(dy, at);
        kernel.store(dx, step(cotangent, kernel.load(x, at)), at);
        fn.set(shift, f.add(shift, cotangent));
        if (begins === undefined) return;
        const isBegin = emitIsBegin(kernel, begins, tokenRow(sequence, tokens, t), t);
        fn.if(isBegin, () => after.forEach((local) => fn.set(local, f.constant(0))));
      });
      if (state !== undefined) {
        const at = stateAt(kernel, own, after.length, channels);
        for (let row = after.length - 1; row >= 0; row--) {
          const offset = 4 * row * channels;
          kernel.store(dState, step(f.constant(0), kernel.load(state, at, offset)), at, offset);
        }
      }
      [...sums].reverse().forEach((sum, j) => {
        const total = f.add(kernel.loadStrided(dw, tapsAt, tapBytes, 4 * j), sum);
        kernel.storeStrided(dw, total, tapsAt, tapBytes, 4 * j);
      });
      kernel.store(db, f.add(kernel.load(db, column), shift), column);
    });
  },
  wgsl: convGradientPasses,
});

/** d_x [B, T, C], d_w [C, k], d_b [C], and d_state [B, k−1, C] if there is a state, of dy [B, T, C]. */
export function causalConvGradient(dy: Value, inputs: readonly Value[], attributes: ConvAttributes): readonly Value[] {
  return op([dy, ...inputs], attributes);
}
