/** The gradient of `attentionSoftmax`: probabilities, made again from the rows' statistics, and gradients of scores and bias. */
import { numbers, type Arithmetic } from '../arithmetic.ts';
import { isEmpty } from '../check.ts';
import { i32 } from '../cpu/wasm/instructions.ts';
import { floats } from '../dtype.ts';
import { exp } from '../elementary.ts';
import { ShapeError } from '../errors.ts';
import type { Value } from '../graph.ts';
import { defineOp } from '../op.ts';
import { isStatic, sameShape, showShape } from '../shape.ts';
import { extraOperands, extrasOf, type Extras } from './attention_extras.ts';
import { checkScores, eachRow, maskedScores, overLiveRows, type QueryBlock } from './attention_softmax_rows.ts';

const name = 'attention_softmax_gradient';

const op = defineOp<QueryBlock>({
  name,
  infer: ([scores, statistics, dP, pull, ...operands], block) => {
    const extras = extrasOf(operands, block.given);
    checkScores(name, { scores, extras }, block);
    const fits = [statistics, dP, pull].every(({ shape }, i) =>
      sameShape(shape, i === 1 ? scores.shape : scores.shape.with(-1, i === 0 ? 2 : 1)),
    );
    if (fits) return [scores, scores, ...(extras.bias === undefined ? [] : [extras.bias])];
    const shapes = [scores, statistics, dP, pull].map(({ shape }) => showShape(shape));
    throw new ShapeError(name, `${shapes.join(', ')} do not fit`);
  },
  reference: ([scores, statistics, dP, pull, ...operands], outputs, block) => {
    const extras = extrasOf(operands, block.given);
    const [from, known, c, pulls] = [scores, statistics, dP, pull].map((x) => floats(name, x.data));
    const [to, d, dBias] = outputs.map((x) => floats(name, x.data));
    const bias = extras.bias && floats(name, extras.bias.data);
    const scale = numbers.constant(block.scale);
    for (const { data } of outputs) floats(name, data).fill(0);
    eachRow(name, { scores, extras }, block, ({ row, at, begin, live, biasAt }) => {
      const given = { max: known[row * 2], inverse: known[row * 2 + 1], pull: pulls[row] };
      for (let i = begin; i < live; i++) {
        const score = numbers.mul(scale, from[at + i]);
        const biased = bias === undefined ? score : numbers.add(score, bias[biasAt + i]);
        const { probability, dScore } = differentiated(numbers, biased, c[at + i], given);
        to[at + i] = probability;
        d[at + i] = numbers.mul(scale, dScore);
        if (bias !== undefined) dBias[biasAt + i] = numbers.add(dBias[biasAt + i], dScore);
      }
    });
  },
  wasm: (kernel, [scores, statistics, dP, pull, ...operands], [p, dScores, dBias], block) => {
    const { f } = kernel;
    const extras = extrasOf(operands, block.given);
    const { bias } = extras;
    if (bias !== undefined) kernel.fill(dBias, 0);
    return overLiveRows(kernel, { scores, extras }, block, ({ live, row, toBias }) => {
      const known = kernel.elementAt(i32.mul(row, i32.const(2)));
      const given = {
        max: kernel.splat(statistics, known),
        inverse: kernel.splat(statistics, known, 4),
        pull: kernel.splat(pull, kernel.elementAt(row)),
      };
      const scale = f.constant(block.scale);
      live.each((at, offset, mask) => {
        const [score, c] = [kernel.load(scores, at, offset), kernel.load(dP, at, offset)];
        const scaled = f.mul(scale, score);
        const biasAt = bias === undefined ? at : kernel.in(at, toBias);
        const biased = bias === undefined ? scaled : f.add(scaled, kernel.load(bias, biasAt, offset));
        const { probability, dScore } = differentiated(f, biased, c, given);
        kernel.store(p, live.live(probability, mask), at, offset);
        kernel.store(dScores, live.live(f.mul(scale, dScore), mask), at, offset);
        if (bias === undefined) return;
        const sum = f.add(kernel.load(dBias, biasAt, offset), live.live(dScore, mask));
        kernel.store(dBias, sum, biasAt, offset);
      });
      live.zeroRest(p);
      live.zeroRest(dScores);
    });
  },
  // ONNX sums over sequences in an order of its own.
  onnx: (graph, [scores, statistics, dP, pull, ...operands], { inputs: [{ shape }] }, block) => {
    const extras = extrasOf(operands, block.given);
    if (!isStatic(shape) || isEmpty(shape) || extras.bias !== undefined) return null;
    const [max, inverse] = graph.op('Split', [statistics], { axis: -1, num_outputs: 2 }, 2);
    const exponentials = graph.one('Exp', [
      graph.one('Sub', [maskedScores(graph, { scores, extras }, shape, block), max]),
    ]);
    const p = graph.one('Mul', [exponentials, inverse]);
    const pulled = graph.one('Mul', [p, graph.one('Sub', [dP, pull])]);
    return [p, graph.one('Mul', [graph.float32([block.scale], []), pulled])];
  },
});

/** What is known of a row before its gradient is made. */
interface Known<T> {
  readonly max: T;
  readonly inverse: T;
  /** Σ p · dP. */
  readonly pull: T;
}

/** The probability of an element, and the gradient of its score with scale and bias. */
function differentiated<T>(f: Arithmetic<T>, score: T, dP: T, { max, inverse, pull }: Known<T>) {
  const probability = f.mul(exp(f, f.sub(score, max)), inverse);
  return { probability, dScore: f.mul(probability, f.sub(dP, pull)) };
}

export interface SoftmaxGradient {
  readonly p: Value;
  /** Of what the products gave: scale · p · (dP − pull). */
  readonly dScores: Value;
  /** Σ p · (dP − pull) over sequences, in their order; absent without a bias. */
  readonly dBias?: Value;
}

/**
 * The probabilities again, and gradients. `statistics` [B, ..., rows, 2] as the forward gave them, `pull` [B, ..., rows, 1] = Σ p · dP
 * over a row, which is Σ o · d_o; the rest as the forward had it. Throws `ShapeError` when they do not fit.
 */
export function attentionSoftmaxGradient(
  { scores, statistics, dP, pull }: Readonly<Record<'scores' | 'statistics' | 'dP' | 'pull', Value>>,
  block: QueryBlock,
  extras: Extras<Value>,
): SoftmaxGradient {
  const [p, dScores, ...dBias] = op([scores, statistics, dP, pull, ...extraOperands(extras)], block);
  return dBias.length === 0 ? { p, dScores } : { p, dScores, dBias: dBias[0] };
}
