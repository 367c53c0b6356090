/**
 * The selective scan of Mamba (arXiv 2312.00752): h_t = exp(Δ_t A) ⊙ h_{t−1} + Δ_t u_t B_t and y_t = C_t · h_t + D u_t, channel by
 * channel, in fp32. h_0 is zero or a state that is given; it is zero again where a sample begins (`sample_begins.ts`). B sequences,
 * T tokens, C channels, N states a channel.
 *
 * The states at the beginning of every chunk of 32 tokens go to the gradient, which makes those between again.
 */
import { numbers } from '../arithmetic.ts';
import { requireFloats, requirePerToken, requireRank, staticSize } from '../check.ts';
import { floats } from '../dtype.ts';
import { ShapeError } from '../errors.ts';
import type { Value } from '../graph.ts';
import { laneSum } from '../lane_sum.ts';
import { defineOp } from '../op.ts';
import { sameShape, showShape } from '../shape.ts';
import type { Type } from '../type.ts';
import { given } from './given.ts';
import { beginsOf, emitBeginsCheck } from './sample_begins.ts';
import { selectiveScanGradient } from './selective_scan_gradient.ts';
import { decay, nextState, SCAN_CHUNK, ScanLoops, type ScanAttributes } from './selective_scan_loops.ts';
import { scanPass } from './selective_scan_shader.ts';

/** u and delta (Δ, positive) [B, T, C], a (negative) [C, N], b and c [B, T, N], d [C]; B may be dynamic. */
export interface ScanInputs {
  readonly u: Value;
  readonly delta: Value;
  readonly a: Value;
  readonly b: Value;
  readonly c: Value;
  readonly d: Value;
  /** Where each token's sample begins, i32 [B, T] or [B·T], −1 of a sample that goes on from a state; absent: nowhere. */
  readonly begins?: Value | undefined;
}

const op = defineOp<ScanAttributes>({
  name: 'selective_scan',
  infer: ([u, delta, a, b, c, d, ...rest], { hasState, hasBegins }) => {
    checkOperands(u, delta, a, b, c, d);
    const [batch, tokens, channels] = u.shape;
    const [state, begins] = given(rest, 0, [hasState, hasBegins]);
    const states: Type = { dtype: 'f32', shape: [batch, channels, a.shape[1]] };
    if (state !== undefined) checkState(state, states);
    if (begins !== undefined) requirePerToken('selective_scan', 'begins', begins, batch, tokens);
    const chunks = Math.ceil(staticSize('selective_scan', 'the number of tokens', tokens) / SCAN_CHUNK);
    const kept: Type = { dtype: 'f32', shape: [batch, chunks, channels, a.shape[1]] };
    return hasState ? [u, kept, states] : [u, kept];
  },
  reference: (inputs, [y, kept, last], { hasState, hasBegins }) => {
    const [u, delta, a, b, c, d] = inputs.slice(0, 6).map(({ data }) => floats('selective_scan', data));
    const [state, begins] = given(inputs, 6, [hasState, hasBegins]);
    const y_ = floats('selective_scan', y.data);
    const kept_ = floats('selective_scan', kept.data);
    const [batch, tokens, channels] = inputs[0].shape;
    const [, states] = inputs[2].shape;
    const [, chunks] = kept.shape;
    const isBegin = beginsOf('selective_scan', begins, tokens, hasState);
    const h = new Float32Array(states);
    for (let s = 0; s < batch; s++) {
      for (let ch = 0; ch < channels; ch++) {
        const own = (s * channels + ch) * states;
        h.fill(0);
        if (state !== undefined) h.set(floats('selective_scan', state.data).subarray(own, own + states));
        for (let t = 0; t < tokens; t++) {
          if (t % SCAN_CHUNK === 0) kept_.set(h, ((s * chunks + t / SCAN_CHUNK) * channels + ch) * states);
          if (isBegin(s, t)) h.fill(0);
          const at = (s * tokens + t) * channels + ch;
          const row = (s * tokens + t) * states;
          const product = laneSum(states, (n) => {
            h[n] = nextState(
              numbers,
              decay(numbers, delta[at], a[ch * states + n]),
              h[n],
              delta[at],
              u[at],
              b[row + n],
            );
            return numbers.mul(c[row + n], h[n]);
          });
          y_[at] = numbers.add(product, numbers.mul(d[ch], u[at]));
        }
        if (hasState) floats('selective_scan', last.data).set(h, own);
      }
    }
  },
  wasm: (kernel, [u, delta, a, b, c, d, ...rest], [y, kept, last], { hasState, hasBegins }) => {
    const { fn, f } = kernel;
    const [batch, tokens] = u.type.shape;
    const [state, begins] = given(rest, 0, [hasState, hasBegins]);
    const loops = ScanLoops.over(kernel, u.type.shape, a.type.shape);
    if (loops === null) return false;
    if (begins !== undefined) emitBeginsCheck(kernel, begins, batch, Number(tokens), hasState);
    loops.channels(({ channel, states: ofChannel }) => {
      const as = loops.vectors.map((offset) => kernel.load(a, ofChannel, offset));
      const skip = kernel.splat(d, kernel.elementAt(channel));
      const own = hasState ? loops.ofSequence() : null;
      const first = (offset: number) =>
        own === null || state === undefined ? f.constant(0) : kernel.load(state, own, offset);
      const h = loops.vectors.map((offset) => fn.let(first(offset), 'h'));
      loops.chunks(({ first, end, kept: atKept }) => {
        h.forEach((vector, n) => kernel.store(kept, vector, atKept, loops.vectors[n]));
        fn.loop(first, end, 1, (t) => {
          if (begins !== undefined) loops.clearAtBegin(begins, t, h);
          const { at, row } = loops.token(t);
          const [step, input] = [kernel.splat(delta, at), kernel.splat(u, at)];
          const terms = loops.vectors.map((offset, n) => {
            fn.set(h[n], nextState(f, decay(f, step, as[n]), h[n], step, input, kernel.load(b, row, offset)));
            return f.mul(kernel.load(c, row, offset), h[n]);
          });
          kernel.storeOne(y, f.add(loops.sumOf(terms), f.mul(skip, input)), at);
        });
      });
      if (own !== null) h.forEach((vector, n) => kernel.store(last, vector, own, loops.vectors[n]));
    });
    return true;
  },
  wgsl: scanPass,
  gradient: ({ inputs, outputs: [, kept], cotangents: [dy, , dLast] }, { hasState, hasBegins }) => {
    const [, begins] = given(inputs, 6, [hasState, hasBegins]);
    return selectiveScanGradient({ inputs: inputs.slice(0, 6), kept, dy, dLast, begins }, hasState);
  },
});

/** y [B, T, C], from states of zero. Throws `ShapeError` when operands do not fit, or when it runs into impossible begins. */
export function selectiveScan({ u, delta, a, b, c, d, begins }: ScanInputs): Value {
  const rest = begins === undefined ? [] : [begins];
  return op([u, delta, a, b, c, d, ...rest], { hasState: false, hasBegins: begins !== undefined })[0];
}

/**
 * y [B, T, C], and the state after the last token, from `state` [B, C, N], that after the token before the first. Token by token
 * it gives the bits of the whole. Throws as `selectiveScan` does.
 */
export function selectiveScanFrom(
  state: Value,
  { u, delta, a, b, c, d, begins }: ScanInputs,
): { readonly y: Value; readonly state: Value } {
  const rest = begins === undefined ? [state] : [state, begins];
  const [y, , last] = op([u, delta, a, b, c, d, ...rest], { hasState: true, hasBegins: begins !== undefined });
  return { y, state: last };
}

function checkState(state: Type, states: Type): void {
  requireFloats('selective_scan', [state]);
  if (sameShape(state.shape, states.shape)) return;
  throw new ShapeError('selective_scan', `state ${showShape(state.shape)} is not of ${showShape(states.shape)}`);
}

function checkOperands(u: Type, delta: Type, a: Type, b: Type, c: Type, d: Type): void {
  const name = 'selective_scan';
  requireFloats(name, [u, delta, a, b, c, d]);
  requireRank(name, 'u', u, 3);
  requireRank(name, 'a', a, 2);
  const [batch, tokens, channels] = u.shape;
  const rows = [batch, tokens, a.shape[1]];
  const fits =
    sameShape(delta.shape, u.shape) &&
    sameShape(a.shape.slice(0, 1), [channels]) &&
    sameShape(b.shape, rows) &&
    sameShape(c.shape, rows) &&
    sameShape(d.shape, [channels]);
  if (fits) return;
  const shapes = [u, delta, a, b, c, d].map(({ shape }) => showShape(shape)).join(', ');
  throw new ShapeError(name, `u, delta, a, b, c, d of ${shapes} do not fit`);
}
