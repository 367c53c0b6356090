/**
 * The selective scan of Mamba (arXiv 2312.00752): h_t = exp(Δ_t A) ⊙ h_{t−1} + Δ_t u_t B_t, h_0 = 0, and
 * y_t = C_t · h_t + D u_t, channel by channel, in fp32. B sequences, T tokens, C channels, N states a channel.
 *
 * The states at the beginning of every chunk of 32 tokens go to the gradient, which makes those between again.
 */
import { numbers } from '../arithmetic.ts';
import { requireFloats, requireRank, staticSize } from '../check.ts';
import { floats } from '../dtype.ts';
import { ShapeError } from '../errors.ts';
import type { Value } from '../graph.ts';
import { laneSum } from '../lane_sum.ts';
import { defineOp } from '../op.ts';
import { sameShape, showShape } from '../shape.ts';
import type { Type } from '../type.ts';
import { selectiveScanGradient } from './selective_scan_gradient.ts';
import { decay, nextState, SCAN_CHUNK, ScanLoops } from './selective_scan_loops.ts';
import { scanPass } from './selective_scan_shader.ts';

const op = defineOp<undefined>({
  name: 'selective_scan',
  infer: ([u, delta, a, b, c, d]) => {
    checkOperands(u, delta, a, b, c, d);
    const [batch, tokens, channels] = u.shape;
    const chunks = Math.ceil(staticSize('selective_scan', 'the number of tokens', tokens) / SCAN_CHUNK);
    return [u, { dtype: 'f32', shape: [batch, chunks, channels, a.shape[1]] }];
  },
  reference: (inputs, [y, kept]) => {
    const [u, delta, a, b, c, d] = inputs.map(({ data }) => floats('selective_scan', data));
    const y_ = floats('selective_scan', y.data);
    const kept_ = floats('selective_scan', kept.data);
    const [batch, tokens, channels] = inputs[0].shape;
    const [, states] = inputs[2].shape;
    const [, chunks] = kept.shape;
    const h = new Float32Array(states);
    for (let s = 0; s < batch; s++) {
      for (let ch = 0; ch < channels; ch++) {
        h.fill(0);
        for (let t = 0; t < tokens; t++) {
          if (t % SCAN_CHUNK === 0) kept_.set(h, ((s * chunks + t / SCAN_CHUNK) * channels + ch) * states);
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
      }
    }
  },
  wasm: (kernel, [u, delta, a, b, c, d], [y, kept]) => {
    const { fn, f } = kernel;
    const loops = ScanLoops.over(kernel, u.type.shape, a.type.shape);
    if (loops === null) return false;
    loops.channels(({ channel, states: ofChannel }) => {
      const as = loops.vectors.map((offset) => kernel.load(a, ofChannel, offset));
      const skip = kernel.splat(d, kernel.elementAt(channel));
      const h = loops.vectors.map(() => fn.let(f.constant(0), 'h'));
      loops.chunks(({ first, end, kept: state }) => {
        h.forEach((vector, n) => kernel.store(kept, vector, state, loops.vectors[n]));
        fn.loop(first, end, 1, (t) => {
          const { at, row } = loops.token(t);
          const [step, input] = [kernel.splat(delta, at), kernel.splat(u, at)];
          const terms = loops.vectors.map((offset, n) => {
            fn.set(h[n], nextState(f, decay(f, step, as[n]), h[n], step, input, kernel.load(b, row, offset)));
            return f.mul(kernel.load(c, row, offset), h[n]);
          });
          kernel.storeOne(y, f.add(loops.sumOf(terms), f.mul(skip, input)), at);
        });
      });
    });
    return true;
  },
  wgsl: scanPass,
  gradient: ({ inputs, outputs: [, kept], cotangents: [c] }) =>
    c === null ? [] : selectiveScanGradient(c, inputs, kept),
});

/**
 * u and delta (Δ, positive) [B, T, C], a (negative) [C, N], b and c [B, T, N], d [C] → y [B, T, C]; B may be dynamic.
 * Throws `ShapeError` when they do not fit.
 */
export function selectiveScan(u: Value, delta: Value, a: Value, b: Value, c: Value, d: Value): Value {
  return op([u, delta, a, b, c, d], undefined)[0];
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
