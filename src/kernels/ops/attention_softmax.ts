/**
 * The probabilities of attention for a block of queries: where attention is not one op but products of matrices with this
 * between. The score of a key that a query does not see is not read, its probability is 0. A row's **statistics**, its largest
 * score (scaled, with its bias) and 1 / Σ exp(score − largest), are what the gradient makes the same probabilities from (the two
 * halves of a log-sum-exp, which needs no logarithm); both are 0 for a row without keys.
 */
import { numbers } from '../arithmetic.ts';
import { i32, type I32, type V128 } from '../cpu/wasm/instructions.ts';
import { floats } from '../dtype.ts';
import { exp } from '../elementary.ts';
import type { Value } from '../graph.ts';
import { laneSum, SUM_LANES } from '../lane_sum.ts';
import { defineOp } from '../op.ts';
import { isStatic } from '../shape.ts';
import { extraOperands, extrasOf, type Extras } from './attention_extras.ts';
import {
  canBeEmpty,
  checkScores,
  eachRow,
  maskedScores,
  overLiveRows,
  type QueryBlock,
} from './attention_softmax_rows.ts';

const op = defineOp<QueryBlock>({
  name: 'attention_softmax',
  infer: ([scores, ...extras], block) => {
    checkScores('attention_softmax', { scores, extras: extrasOf(extras, block.given) }, block);
    return [scores, { dtype: 'f32', shape: scores.shape.with(-1, 2) }];
  },
  reference: ([scores, ...operands], [p, statistics], block) => {
    const extras = extrasOf(operands, block.given);
    const [from, to, known] = [scores, p, statistics].map((x) => floats('attention_softmax', x.data));
    const bias = extras.bias && floats('attention_softmax', extras.bias.data);
    const scale = numbers.constant(block.scale);
    eachRow('attention_softmax', { scores, extras }, block, ({ row, at, begin, live, width, biasAt }) => {
      to.fill(0, at, at + width);
      if (begin === live) return known.set([0, 0], row * 2);
      const scaled = (i: number): number => {
        const score = numbers.mul(scale, from[at + i]);
        return bias === undefined ? score : numbers.add(score, bias[biasAt + i]);
      };
      let max = -Infinity;
      for (let i = begin; i < live; i++) max = numbers.larger(scaled(i), max);
      const exponential = (i: number): number => exp(numbers, numbers.sub(scaled(i), max));
      const sum = laneSum(live, (i) => (i < begin ? 0 : (to[at + i] = exponential(i))));
      const inverse = numbers.div(1, sum);
      for (let i = at + begin; i < at + live; i++) to[i] = numbers.mul(to[i], inverse);
      known.set([max, inverse], row * 2);
    });
  },
  wasm: (kernel, [scores, ...operands], [p, statistics], block) => {
    const { f } = kernel;
    const extras = extrasOf(operands, block.given);
    const { bias } = extras;
    return overLiveRows(kernel, { scores, extras }, block, ({ live, row, toBias }) => {
      const scaled = (at: I32, offset: number): V128 => {
        const score = f.mul(f.constant(block.scale), kernel.load(scores, at, offset));
        return bias === undefined ? score : f.add(score, kernel.load(bias, kernel.in(at, toBias), offset));
      };
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
      // A sum is 1 or more where a key is seen, or NaN.
      const seen = (x: V128): V128 => (canBeEmpty(extras) ? f.whereLess(sum, f.constant(0.5), f.constant(0), x) : x);
      kernel.storeOne(statistics, seen(max), known);
      kernel.storeOne(statistics, seen(inverse), known, 4);
    });
  },
  // ONNX would not refuse a begin or an end that is none.
  onnx: (graph, [scores, ...operands], { inputs: [{ shape }] }, block) => {
    const extras = extrasOf(operands, block.given);
    if (!isStatic(shape) || shape[shape.length - 1] % SUM_LANES !== 0 || canBeEmpty(extras)) return null;
    const scaled = maskedScores(graph, { scores, extras }, shape, block);
    const max = graph.one('ReduceMax', [scaled, graph.int64([-1])], { keepdims: 1 });
    const exponentials = graph.one('Exp', [graph.one('Sub', [scaled, max])]);
    const sum = graph.one('ReduceSum', [exponentials, graph.int64([-1])], { keepdims: 1 });
    const inverse = graph.one('Div', [graph.float32([1], []), sum]);
    return [graph.one('Mul', [exponentials, inverse]), graph.one('Concat', [max, inverse], { axis: -1 })];
  },
});

/**
 * Probabilities [B, ..., rows, keys] of `scores`, a block of queries, and their rows' statistics [B, ..., rows, 2]. A bias is of
 * the block's own queries and keys, [..., rows, keys]; begins and ends are those of all queries of all sequences. Throws
 * `ShapeError` when the block does not fit.
 */
export function attentionSoftmax(
  scores: Value,
  block: QueryBlock,
  extras: Extras<Value>,
): readonly [p: Value, statistics: Value] {
  const [p, statistics] = op([scores, ...extraOperands(extras)], block);
  return [p, statistics];
}
