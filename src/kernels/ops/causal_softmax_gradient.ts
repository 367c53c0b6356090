/** The gradient of `causalSoftmax`: probabilities, made again from the rows' statistics, and gradients of scores. */
import { numbers, type Arithmetic } from '../arithmetic.ts';
import { isEmpty } from '../check.ts';
import { i32 } from '../cpu/wasm/instructions.ts';
import { floats } from '../dtype.ts';
import { exp } from '../elementary.ts';
import { ShapeError } from '../errors.ts';
import type { Value } from '../graph.ts';
import { defineOp } from '../op.ts';
import { isStatic, sameShape, showShape } from '../shape.ts';
import { checkScores, eachRow, maskedScores, overLiveRows, type QueryBlock } from './causal_softmax_rows.ts';

const op = defineOp<QueryBlock>({
  name: 'causal_softmax_gradient',
  infer: ([scores, statistics, dP, pull, begins], block) => {
    checkScores('causal_softmax_gradient', scores, block, begins);
    const fits = [statistics, dP, pull].every(({ shape }, i) =>
      sameShape(shape, i === 1 ? scores.shape : scores.shape.with(-1, i === 0 ? 2 : 1)),
    );
    if (fits) return [scores, scores];
    const shapes = [scores, statistics, dP, pull].map(({ shape }) => showShape(shape));
    throw new ShapeError('causal_softmax_gradient', `${shapes.join(', ')} do not fit`);
  },
  reference: ([scores, statistics, dP, pull, begins], [p, dScores], block) => {
    const [from, known, c, pulls] = [scores, statistics, dP, pull].map((x) =>
      floats('causal_softmax_gradient', x.data),
    );
    const [to, d] = [p, dScores].map((x) => floats('causal_softmax_gradient', x.data));
    const scale = numbers.constant(block.scale);
    to.fill(0);
    d.fill(0);
    eachRow('causal_softmax_gradient', { scores, begins }, block, ({ row, at, begin, live }) => {
      const given = { max: known[row * 2], inverse: known[row * 2 + 1], pull: pulls[row] };
      for (let i = at + begin; i < at + live; i++) {
        const { probability, gradient } = differentiated(numbers, scale, from[i], c[i], given);
        to[i] = probability;
        d[i] = gradient;
      }
    });
  },
  wasm: (kernel, [scores, statistics, dP, pull, begins], [p, dScores], block) =>
    overLiveRows(kernel, { scores, begins }, block, (live, row) => {
      const { f } = kernel;
      const known = kernel.elementAt(i32.mul(row, i32.const(2)));
      const given = {
        max: kernel.splat(statistics, known),
        inverse: kernel.splat(statistics, known, 4),
        pull: kernel.splat(pull, kernel.elementAt(row)),
      };
      live.each((at, offset, mask) => {
        const [score, c] = [kernel.load(scores, at, offset), kernel.load(dP, at, offset)];
        const { probability, gradient } = differentiated(f, f.constant(block.scale), score, c, given);
        kernel.store(p, live.live(probability, mask), at, offset);
        kernel.store(dScores, live.live(gradient, mask), at, offset);
      });
      live.zeroRest(p);
      live.zeroRest(dScores);
    }),
  onnx: (graph, [scores, statistics, dP, pull, begins], { inputs: [{ shape }] }, block) => {
    if (!isStatic(shape) || isEmpty(shape)) return null;
    const [max, inverse] = graph.op('Split', [statistics], { axis: -1, num_outputs: 2 }, 2);
    const exponentials = graph.one('Exp', [
      graph.one('Sub', [maskedScores(graph, { scores, begins }, shape, block), max]),
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

/** An element's probability, and the gradient of its score. */
function differentiated<T>(f: Arithmetic<T>, scale: T, score: T, dP: T, { max, inverse, pull }: Known<T>) {
  const probability = f.mul(exp(f, f.sub(f.mul(scale, score), max)), inverse);
  return { probability, gradient: f.mul(scale, f.mul(probability, f.sub(dP, pull))) };
}

/**
 * The probabilities again, and d_scores = scale · p · (dP − pull). `statistics` [..., rows, 2] as the forward gave them,
 * `pull` [..., rows, 1] = Σ p · dP over a row, which is Σ o · d_o; `begins` as the forward had
 * them. Throws `ShapeError` when they do not fit.
 */
export function causalSoftmaxGradient(
  { scores, statistics, dP, pull }: Readonly<Record<'scores' | 'statistics' | 'dP' | 'pull', Value>>,
  block: QueryBlock,
  begins?: Value,
): readonly [p: Value, dScores: Value] {
  const given = [scores, statistics, dP, pull];
  const [p, dScores] = op(begins === undefined ? given : [...given, begins], block);
  return [p, dScores];
}
