/**
 * Causal depthwise convolution (of a Mamba block, arXiv 2312.00752), channel by channel: y_t = b + Σ_j w_j x_{t−k+1+j}, j = 0 … k−1.
 * Before the first token x is zero, or a state, the k−1 rows before; before a sample's beginning it is zero (`sample_begins.ts`).
 * B sequences, T tokens, C channels, k taps; the last tap is the current token's.
 */
import { numbers } from '../arithmetic.ts';
import { requireFloats, requirePerToken, requireRank, staticSize } from '../check.ts';
import { i32 } from '../cpu/wasm/instructions.ts';
import { floats } from '../dtype.ts';
import { ShapeError } from '../errors.ts';
import type { Value } from '../graph.ts';
import { defineOp } from '../op.ts';
import { sameShape, showShape } from '../shape.ts';
import { causalConvGradient } from './causal_conv_gradient.ts';
import { overChannels, stateAt, tokenRow, type ConvAttributes } from './causal_conv_loops.ts';
import { convPass } from './causal_conv_shader.ts';
import { convState } from './causal_conv_state.ts';
import { given } from './given.ts';
import { beginsOf, emitBeginsCheck, emitIsBegin } from './sample_begins.ts';

/** x [B, T, C], w [C, k], b [C]; B may be dynamic. */
export interface ConvInputs {
  readonly x: Value;
  readonly w: Value;
  readonly b: Value;
  /** Where each token's sample begins, i32 [B, T] or [B·T], −1 of a sample that goes on from a state; absent: nowhere. */
  readonly begins?: Value | undefined;
}

const op = defineOp<ConvAttributes>({
  name: 'causal_conv',
  infer: ([x, w, b, ...rest], { hasState, hasBegins }) => {
    requireFloats('causal_conv', [x, w, b]);
    requireRank('causal_conv', 'x', x, 3);
    requireRank('causal_conv', 'w', w, 2);
    const [batch, tokens, ...channels] = x.shape;
    const taps = staticSize('causal_conv', 'the number of taps', w.shape[1]);
    if (!sameShape(w.shape.slice(0, 1), channels) || !sameShape(b.shape, channels)) {
      const shapes = [x, w, b].map(({ shape }) => showShape(shape)).join(', ');
      throw new ShapeError('causal_conv', `x, w, b of ${shapes} do not fit`);
    }
    const [state, begins] = given(rest, 0, [hasState, hasBegins]);
    if (begins !== undefined) requirePerToken('causal_conv', 'begins', begins, batch, tokens);
    if (state === undefined) return [x];
    requireFloats('causal_conv', [state]);
    const states = [batch, taps - 1, ...channels];
    if (sameShape(state.shape, states)) return [x];
    throw new ShapeError('causal_conv', `state ${showShape(state.shape)} is not of ${showShape(states)}`);
  },
  reference: (inputs, [y], { hasState, hasBegins }) => {
    const [x, w, b] = inputs;
    const [from, taps, shift, to] = [x, w, b, y].map(({ data }) => floats('causal_conv', data));
    const [state, begins] = given(inputs, 3, [hasState, hasBegins]);
    const before = state && floats('causal_conv', state.data);
    const [batch, tokens, channels] = x.shape;
    const [, k] = w.shape;
    const isBegin = beginsOf('causal_conv', begins, tokens, hasState);
    for (let s = 0; s < batch; s++) {
      /** The first token that is seen; a state's are below 0. */
      let first = before === undefined ? 0 : 1 - k;
      for (let t = 0; t < tokens; t++) {
        if (isBegin(s, t)) first = t;
        for (let c = 0; c < channels; c++) {
          let sum = shift[c];
          for (let j = 0; j < k; j++) {
            const token = t - k + 1 + j;
            let value = 0;
            if (token >= Math.max(first, 0)) value = from[(s * tokens + token) * channels + c];
            else if (token >= first && before !== undefined) {
              value = before[(s * (k - 1) + token + k - 1) * channels + c];
            }
            sum = numbers.add(sum, numbers.mul(taps[c * k + j], value));
          }
          to[(s * tokens + t) * channels + c] = sum;
        }
      }
    }
  },
  wasm: (kernel, [x, w, b, ...rest], [y], { hasState, hasBegins }) => {
    const { fn, f } = kernel;
    const [tokens, channels] = x.type.shape.slice(1).map(Number);
    const [state, begins] = given(rest, 0, [hasState, hasBegins]);
    if (begins !== undefined) emitBeginsCheck(kernel, begins, x.type.shape[0], tokens, hasState);
    return overChannels(kernel, x.type.shape, w, (own) => {
      const { sequence, taps, column, first } = own;
      const shift = kernel.load(b, column);
      const at = state && stateAt(kernel, own, taps.length - 1, channels);
      const before = taps.slice(1).map((_, row) => {
        const value = state && at ? kernel.load(state, at, 4 * row * channels) : f.constant(0);
        return fn.let(value, 'before');
      });
      fn.loop(i32.const(0), i32.const(tokens), 1, (t) => {
        if (begins !== undefined) {
          const isBegin = emitIsBegin(kernel, begins, tokenRow(sequence, tokens, t), t);
          fn.if(isBegin, () => before.forEach((local) => fn.set(local, f.constant(0))));
        }
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
  gradient: ({ inputs, cotangents: [c] }, attributes) => (c === null ? [] : causalConvGradient(c, inputs, attributes)),
});

/** y [B, T, C]. Throws `ShapeError` when operands do not fit, or when it runs into impossible begins. */
export function causalConv({ x, w, b, begins }: ConvInputs): Value {
  const hasBegins = begins !== undefined;
  return op(hasBegins ? [x, w, b, begins] : [x, w, b], { hasState: false, hasBegins })[0];
}

/**
 * y [B, T, C], and the state after the last token, from `state` [B, k−1, C], the rows before the first token, oldest first. Token
 * by token it gives the bits of the whole. Throws as `causalConv` does.
 */
export function causalConvFrom(
  state: Value,
  { x, w, b, begins }: ConvInputs,
): { readonly y: Value; readonly state: Value } {
  // One tap sees its own token only: there is nothing to carry, and no sample that could see another.
  if (w.type.shape[1] === 1 && state.type.shape[1] === 0) return { y: causalConv({ x, w, b }), state };
  const hasBegins = begins !== undefined;
  const [y] = op(hasBegins ? [x, w, b, state, begins] : [x, w, b, state], { hasState: true, hasBegins });
  return { y, state: convState(x, state, begins) };
}
