/**
 * The gradient of `selectiveScan`, from the last token to the first: with dh_t = C_t dy_t + exp(Δ_{t+1} A) ⊙ dh_{t+1},
 * du = Δ (dh · B) + D dy, dΔ = Σ dh ⊙ (A exp(ΔA) h_{t−1} + u B), dA += Δ exp(ΔA) h_{t−1} ⊙ dh, dB += dh Δ u, dC += dy h, dD += dy u. Behind
 * the last token dh is the gradient of the last state; nothing goes back over the beginning of a sample. States between those that
 * were kept are made again, a chunk at a time. Sums over tokens run backward inside a sequence, then over sequences; sums over
 * channels in their order.
 */
import { numbers, type Arithmetic } from '../arithmetic.ts';
import { i32 } from '../cpu/wasm/instructions.ts';
import { floats } from '../dtype.ts';
import type { Value } from '../graph.ts';
import { laneSum } from '../lane_sum.ts';
import { defineOp } from '../op.ts';
import type { Operand } from '../type.ts';
import { given } from './given.ts';
import { beginsOf } from './sample_begins.ts';
import { scanGradientPasses } from './selective_scan_gradient_shader.ts';
import { decay, nextState, SCAN_CHUNK, ScanLoops, type ScanGradientAttributes } from './selective_scan_loops.ts';

const op = defineOp<ScanGradientAttributes>({
  name: 'selective_scan_gradient',
  // Behind the gradients lies room for the states of a chunk, and what they decay by.
  infer: ([u, delta, a, b, c, d], { hasState }) => [
    u,
    delta,
    a,
    b,
    c,
    d,
    { dtype: 'f32', shape: [2, SCAN_CHUNK, Number(a.shape[1])] },
    ...(hasState ? [{ dtype: 'f32', shape: [u.shape[0], ...a.shape] } as const] : []),
  ],
  reference: (inputs, outputs, { hasState, hasBegins, hasDy, hasDLast }) => {
    const floatsOf = ({ data }: Operand) => floats('selective_scan_gradient', data);
    const [u, delta, a, b, c, d, kept] = inputs.slice(0, 7).map(floatsOf);
    const [ofY, ofLast, begins] = given(inputs, 7, [hasDy, hasDLast, hasBegins]);
    const [dy, dLast] = [ofY, ofLast].map((operand) => operand && floatsOf(operand));
    const [du, dDelta, da, db, dc, dd, room, dState] = outputs.map(floatsOf);
    const [batch, tokens, channels] = inputs[0].shape;
    const [, states] = inputs[2].shape;
    const [, chunks] = inputs[6].shape;
    const isBegin = beginsOf('selective_scan_gradient', begins, tokens, hasState);
    const rates = room.length / 2;
    const [dh, daOfSequence] = [new Float32Array(states), new Float32Array(states)];
    for (const sums of [da, db, dc, dd]) sums.fill(0);
    for (let s = 0; s < batch; s++) {
      for (let ch = 0; ch < channels; ch++) {
        const own = (s * channels + ch) * states;
        dh.fill(0);
        if (dLast !== undefined) dh.set(dLast.subarray(own, own + states));
        daOfSequence.fill(0);
        let ddOfSequence = 0;
        for (let chunk = chunks - 1; chunk >= 0; chunk--) {
          const first = chunk * SCAN_CHUNK;
          const end = Math.min(first + SCAN_CHUNK, tokens);
          const from = ((s * chunks + chunk) * channels + ch) * states;
          const h = kept.slice(from, from + states);
          for (let t = first; t < end; t++) {
            const at = (s * tokens + t) * channels + ch;
            if (isBegin(s, t)) h.fill(0);
            for (let n = 0; n < states; n++) {
              const place = (t - first) * states + n;
              room[place] = h[n];
              room[rates + place] = decay(numbers, delta[at], a[ch * states + n]);
              const input = b[(s * tokens + t) * states + n];
              h[n] = nextState(numbers, room[rates + place], h[n], delta[at], u[at], input);
            }
          }
          for (let t = end - 1; t >= first; t--) {
            const at = (s * tokens + t) * channels + ch;
            const row = (s * tokens + t) * states;
            const cotangent = dy === undefined ? 0 : dy[at];
            const stepSums: number[] = [];
            const inputSum = laneSum(states, (n) => {
              const place = (t - first) * states + n;
              const state = {
                dy: cotangent,
                u: u[at],
                delta: delta[at],
                a: a[ch * states + n],
                b: b[row + n],
                c: c[row + n],
                before: room[place],
                rate: room[rates + place],
                dh: dh[n],
              };
              const back = backOf(numbers, state);
              db[row + n] += back.db;
              dc[row + n] += back.dc;
              daOfSequence[n] += back.da;
              dh[n] = back.dhBefore;
              stepSums.push(back.dDelta);
              return back.du;
            });
            du[at] = numbers.add(numbers.mul(delta[at], inputSum), numbers.mul(d[ch], cotangent));
            dDelta[at] = laneSum(states, (n) => stepSums[n]);
            ddOfSequence = numbers.add(ddOfSequence, numbers.mul(cotangent, u[at]));
            if (isBegin(s, t)) dh.fill(0);
          }
        }
        for (let n = 0; n < states; n++) da[ch * states + n] += daOfSequence[n];
        dd[ch] += ddOfSequence;
        if (hasState) dState.set(dh, own);
      }
    }
  },
  wasm: (kernel, [u, delta, a, b, c, d, kept, ...rest], outputs, { hasState, hasBegins, hasDy, hasDLast }) => {
    const { fn, f } = kernel;
    const [du, dDelta, da, db, dc, dd, room, dState] = outputs;
    const [dy, dLast, begins] = given(rest, 0, [hasDy, hasDLast, hasBegins]);
    const loops = ScanLoops.over(kernel, u.type.shape, a.type.shape);
    if (loops === null || ![da, db, dc, dd].every(({ type }) => kernel.takes(type.shape))) return false;
    const { vectors } = loops;
    const rowBytes = 16 * vectors.length;
    const rates = SCAN_CHUNK * rowBytes;
    for (const sums of [da, db, dc, dd]) kernel.fill(sums, 0);
    const zeros = () => vectors.map(() => fn.let(f.constant(0), 'h'));
    loops.channels(({ channel, states }) => {
      const as = vectors.map((offset) => kernel.load(a, states, offset));
      const skip = kernel.splat(d, kernel.elementAt(channel));
      const own = dLast !== undefined || hasState ? loops.ofSequence() : null;
      const dh = vectors.map((offset) =>
        fn.let(dLast === undefined || own === null ? f.constant(0) : kernel.load(dLast, own, offset), 'h'),
      );
      const daOfSequence = zeros();
      const ddOfSequence = fn.let(f.constant(0), 'dd');
      loops.chunks(({ first, end, kept: state }) => {
        const h = vectors.map((offset) => fn.let(kernel.load(kept, state, offset), 'h'));
        fn.loop(first, end, 1, (t) => {
          const { at, row } = loops.token(t);
          const place = fn.let(i32.mul(i32.sub(t, first), i32.const(rowBytes)));
          if (begins !== undefined) loops.clearAtBegin(begins, t, h);
          const [step, input] = [kernel.splat(delta, at), kernel.splat(u, at)];
          vectors.forEach((offset, n) => {
            const rate = decay(f, step, as[n]);
            kernel.store(room, h[n], place, offset);
            kernel.store(room, rate, place, rates + offset);
            fn.set(h[n], nextState(f, rate, h[n], step, input, kernel.load(b, row, offset)));
          });
        });
        fn.loop(i32.const(0), fn.let(i32.sub(end, first)), 1, (i) => {
          const t = fn.let(i32.sub(i32.sub(end, i32.const(1)), i));
          const { at, row } = loops.token(t);
          const place = fn.let(i32.mul(i32.sub(t, first), i32.const(rowBytes)));
          const cotangent = dy === undefined ? f.constant(0) : kernel.splat(dy, at);
          const [input, step] = [u, delta].map((x) => kernel.splat(x, at));
          const backs = vectors.map((offset, n) => {
            const back = backOf(f, {
              dy: cotangent,
              u: input,
              delta: step,
              a: as[n],
              b: kernel.load(b, row, offset),
              c: kernel.load(c, row, offset),
              before: kernel.load(room, place, offset),
              rate: kernel.load(room, place, rates + offset),
              dh: dh[n],
            });
            kernel.store(db, f.add(kernel.load(db, row, offset), back.db), row, offset);
            kernel.store(dc, f.add(kernel.load(dc, row, offset), back.dc), row, offset);
            fn.set(daOfSequence[n], f.add(daOfSequence[n], back.da));
            fn.set(dh[n], back.dhBefore);
            return back;
          });
          const inputSum = loops.sumOf(backs.map((back) => back.du));
          kernel.storeOne(du, f.add(f.mul(step, inputSum), f.mul(skip, cotangent)), at);
          kernel.storeOne(dDelta, loops.sumOf(backs.map((back) => back.dDelta)), at);
          fn.set(ddOfSequence, f.add(ddOfSequence, f.mul(cotangent, input)));
          if (begins !== undefined) loops.clearAtBegin(begins, t, dh);
        });
      }, 'backward');
      vectors.forEach((offset, n) => {
        kernel.store(da, f.add(kernel.load(da, states, offset), daOfSequence[n]), states, offset);
      });
      const ofD = kernel.elementAt(channel);
      kernel.storeOne(dd, f.add(kernel.splat(dd, ofD), ddOfSequence), ofD);
      if (hasState && own !== null) dh.forEach((vector, n) => kernel.store(dState, vector, own, vectors[n]));
    });
    return true;
  },
  wgsl: scanGradientPasses,
});

/** What one state of one token takes part in; `before` and `dh` are those of the token before and after. */
interface StateOf<T> {
  readonly dy: T;
  readonly u: T;
  readonly delta: T;
  readonly a: T;
  readonly b: T;
  readonly c: T;
  readonly before: T;
  readonly rate: T;
  readonly dh: T;
}

/** One state's share of every gradient; of u before it is multiplied by Δ. */
function backOf<T>(f: Arithmetic<T>, { dy, u, delta, a, b, c, before, rate, dh }: StateOf<T>) {
  const total = f.add(dh, f.mul(c, dy));
  const decayed = f.mul(rate, before);
  const input = f.mul(delta, u);
  const pull = f.mul(total, decayed);
  return {
    db: f.mul(total, input),
    dc: f.mul(dy, f.add(decayed, f.mul(input, b))),
    da: f.mul(delta, pull),
    dDelta: f.add(f.mul(a, pull), f.mul(total, f.mul(u, b))),
    du: f.mul(total, b),
    dhBefore: f.mul(rate, total),
  };
}

/** What the gradient is made from: the six operands, the states that the forward kept, and what else there is. */
interface GradientOperands {
  readonly inputs: readonly Value[];
  readonly kept: Value;
  readonly dy: Value | null;
  readonly dLast: Value | null | undefined;
  readonly begins: Value | undefined;
}

/** d_u, d_delta, d_a, d_b, d_c, d_d, and d_state if there is a state, of dy [B, T, C] and d_last [B, C, N], one of them at least. */
export function selectiveScanGradient(
  { inputs, kept, dy, dLast, begins }: GradientOperands,
  hasState: boolean,
): readonly Value[] {
  const rest = [dy, dLast, begins].filter((value) => value !== null && value !== undefined);
  const attributes = { hasState, hasBegins: begins !== undefined, hasDy: dy !== null, hasDLast: Boolean(dLast) };
  const outputs = op([...inputs, kept, ...rest], attributes);
  return [...outputs.slice(0, 6), ...outputs.slice(7)];
}
