/**
 * The probabilities of causal attention for a block of queries: where attention is not one op but products of matrices with
 * this between. What is beyond a query's own key, or before its begin, is not read, its probability is 0. A row's **statistics**, its largest
 * scaled score and 1 / Σ exp(scaled score − largest), are what the gradient makes the same probabilities from (the two
 * halves of a log-sum-exp, which needs no logarithm).
 */
import { numbers } from '../arithmetic.ts';
import { i32, type I32, type V128 } from '../cpu/wasm/instructions.ts';
import { floats } from '../dtype.ts';
import { exp } from '../elementary.ts';
import type { Value } from '../graph.ts';
import { laneSum, SUM_LANES } from '../lane_sum.ts';
import { defineOp } from '../op.ts';
import { isStatic } from '../shape.ts';
import { checkScores, eachRow, maskedScores, overLiveRows, type QueryBlock } from './causal_softmax_rows.ts';

const op = defineOp<QueryBlock>({
  name: 'causal_softmax',
  infer: ([scores, begins], block) => {
    checkScores('causal_softmax', scores, block, begins);
    return [scores, { dtype: 'f32', shape: scores.shape.with(-1, 2) }];
  },
  reference: ([scores, begins], [p, statistics], block) => {
    const from = floats('causal_softmax', scores.data);
    const to = floats('causal_softmax', p.data);
    const known = floats('causal_softmax', statistics.data);
    const scale = numbers.constant(block.scale);
    eachRow('causal_softmax', { scores, begins }, block, ({ row, at, begin, live, width }) => {
      to.fill(0, at, at + width);
      let max = -Infinity;
      for (let i = at + begin; i < at + live; i++) max = numbers.larger(numbers.mul(scale, from[i]), max);
      const exponential = (i: number): number => exp(numbers, numbers.sub(numbers.mul(scale, from[at + i]), max));
      const sum = laneSum(live, (i) => (i < begin ? 0 : (to[at + i] = exponential(i))));
      const inverse = numbers.div(1, sum);
      for (let i = at + begin; i < at + live; i++) to[i] = numbers.mul(to[i], inverse);
      known.set([max, inverse], row * 2);
    });
  },
  wasm: (kernel, [scores, begins], [p, statistics], block) => {
    const { f } = kernel;
    return overLiveRows(kernel, { scores, begins }, block, (live, row) => {
      const scaled = (at: I32, offset: number): V128 => f.mul(f.constant(block.scale), kernel.load(scores, at, offset));
      const max = live.max(scaled);
      const sum = live.sum((at, offset, mask) => {
        const exponential = live.live(exp(f, f.sub(scaled(at, offset), max)), mask);
        kernel.store(p, exponential, at, offset);
        return exponential;
      });
      const inverse = f.div(f.constant(1), sum);
      live.each((at, offset, mask) => {
        kernel.store(p, live.live(f.mul(kernel.load(p, at, offset), inverse), mask), at, offset);
      });
      live.zeroRest(p);
      const known = kernel.elementAt(i32.mul(row, i32.const(2)));
      kernel.storeOne(statistics, max, known);
      kernel.storeOne(statistics, inverse, known, 4);
    });
  },
  // ONNX would not refuse a begin that is none.
  onnx: (graph, [scores, ...begins], { inputs: [{ shape }] }, block) => {
    if (!isStatic(shape) || shape[shape.length - 1] % SUM_LANES !== 0 || begins.length > 0) return null;
    const scaled = maskedScores(graph, { scores }, shape, block);
    const max = graph.one('ReduceMax', [scaled, graph.int64([-1])], { keepdims: 1 });
    const exponentials = graph.one('Exp', [graph.one('Sub', [scaled, max])]);
    const sum = graph.one('ReduceSum', [exponentials, graph.int64([-1])], { keepdims: 1 });
    const inverse = graph.one('Div', [graph.float32([1], []), sum]);
    return [graph.one('Mul', [exponentials, inverse]), graph.one('Concat', [max, inverse], { axis: -1 })];
  },
});

/**
 * Probabilities [..., rows, keys] of `scores`, a block of queries, and their rows' statistics [..., rows, 2]. `begins`, where they
 * are given, are those of all queries of all sequences, as many as the first axis of `scores` has. Throws `ShapeError` when the
 * block does not fit.
 */
export function causalSoftmax(
  scores: Value,
  block: QueryBlock,
  begins?: Value,
): readonly [p: Value, statistics: Value] {
  const [p, statistics] = op(begins === undefined ? [scores] : [scores, begins], block);
  return [p, statistics];
}
