/**
 * The probabilities of causal attention for a block of queries, and the gradient of their scores: where attention is not
 * one op but products of matrices with these between. Row r of a block of n queries belongs to query `first` + r mod n, and
 * has keys 0 … that one: what is beyond is not read, its probability is 0. A row's **statistics**, its largest scaled score and
 * 1 / Σ exp(scaled score − largest), are what the gradient makes the same probabilities from (the two halves of a log-sum-exp,
 * which needs no logarithm).
 */
import { numbers, type Arithmetic } from '../arithmetic.ts';
import { isEmpty, requireFloats } from '../check.ts';
import type { OnnxGraph } from '../cpu/onnx_graph.ts';
import { i32, type I32, type V128 } from '../cpu/wasm/instructions.ts';
import type { Kernel } from '../cpu/wasm/kernel.ts';
import { LiveRow } from '../cpu/wasm/live_row.ts';
import { floats } from '../dtype.ts';
import { exp } from '../elementary.ts';
import { ShapeError } from '../errors.ts';
import type { Value } from '../graph.ts';
import { laneSum, SUM_LANES } from '../lane_sum.ts';
import { defineOp } from '../op.ts';
import { elements, isStatic, maxElements, sameShape, showShape, type Shape } from '../shape.ts';
import type { Type } from '../type.ts';

export interface QueryBlock {
  /** The first query. */
  readonly first: number;
  /** n. */
  readonly queries: number;
  /** What scores are multiplied by: d^-0.5. */
  readonly scale: number;
}

const op = defineOp<QueryBlock>({
  name: 'causal_softmax',
  infer: ([scores], block) => {
    checkScores('causal_softmax', scores, block);
    return [scores, { dtype: 'f32', shape: scores.shape.with(-1, 2) }];
  },
  reference: ([scores], [p, statistics], block) => {
    const from = floats('causal_softmax', scores.data);
    const to = floats('causal_softmax', p.data);
    const known = floats('causal_softmax', statistics.data);
    const scale = numbers.constant(block.scale);
    eachRow(scores.shape, block, ({ row, at, live, width }) => {
      to.fill(0, at, at + width);
      let max = -Infinity;
      for (let i = at; i < at + live; i++) max = numbers.larger(numbers.mul(scale, from[i]), max);
      const sum = laneSum(live, (i) => (to[at + i] = exp(numbers, numbers.sub(numbers.mul(scale, from[at + i]), max))));
      const inverse = numbers.div(1, sum);
      for (let i = at; i < at + live; i++) to[i] = numbers.mul(to[i], inverse);
      known.set([max, inverse], row * 2);
    });
  },
  wasm: (kernel, [scores], [p, statistics], block) => {
    const { f } = kernel;
    return overLiveRows(kernel, scores.type.shape, block, (live, row) => {
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
  onnx: (graph, [scores], { inputs: [{ shape }] }, block) => {
    if (!isStatic(shape) || shape[shape.length - 1] % SUM_LANES !== 0) return null;
    const scaled = maskedScores(graph, scores, shape, block);
    const max = graph.one('ReduceMax', [scaled, graph.int64([-1])], { keepdims: 1 });
    const exponentials = graph.one('Exp', [graph.one('Sub', [scaled, max])]);
    const sum = graph.one('ReduceSum', [exponentials, graph.int64([-1])], { keepdims: 1 });
    const inverse = graph.one('Div', [graph.float32([1], []), sum]);
    return [graph.one('Mul', [exponentials, inverse]), graph.one('Concat', [max, inverse], { axis: -1 })];
  },
});

const gradientOp = defineOp<QueryBlock>({
  name: 'causal_softmax_gradient',
  infer: ([scores, statistics, dP, pull], block) => {
    checkScores('causal_softmax_gradient', scores, block);
    const fits = [statistics, dP, pull].every(({ shape }, i) =>
      sameShape(shape, i === 1 ? scores.shape : scores.shape.with(-1, i === 0 ? 2 : 1)),
    );
    if (fits) return [scores, scores];
    const shapes = [scores, statistics, dP, pull].map(({ shape }) => showShape(shape));
    throw new ShapeError('causal_softmax_gradient', `${shapes.join(', ')} do not fit`);
  },
  reference: ([scores, statistics, dP, pull], [p, dScores], block) => {
    const [from, known, c, pulls] = [scores, statistics, dP, pull].map((x) =>
      floats('causal_softmax_gradient', x.data),
    );
    const [to, d] = [p, dScores].map((x) => floats('causal_softmax_gradient', x.data));
    const scale = numbers.constant(block.scale);
    to.fill(0);
    d.fill(0);
    eachRow(scores.shape, block, ({ row, at, live }) => {
      const given = { max: known[row * 2], inverse: known[row * 2 + 1], pull: pulls[row] };
      for (let i = at; i < at + live; i++) {
        const { probability, gradient } = differentiated(numbers, scale, from[i], c[i], given);
        to[i] = probability;
        d[i] = gradient;
      }
    });
  },
  wasm: (kernel, [scores, statistics, dP, pull], [p, dScores], block) =>
    overLiveRows(kernel, scores.type.shape, block, (live, row) => {
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
  onnx: (graph, [scores, statistics, dP, pull], { inputs: [{ shape }] }, block) => {
    if (!isStatic(shape) || isEmpty(shape)) return null;
    const [max, inverse] = graph.op('Split', [statistics], { axis: -1, num_outputs: 2 }, 2);
    const exponentials = graph.one('Exp', [graph.one('Sub', [maskedScores(graph, scores, shape, block), max])]);
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
 * Probabilities [..., rows, keys] of `scores`, a block of queries, and their rows' statistics [..., rows, 2]. Throws
 * `ShapeError` when the block does not fit.
 */
export function causalSoftmax(scores: Value, block: QueryBlock): readonly [p: Value, statistics: Value] {
  const [p, statistics] = op([scores], block);
  return [p, statistics];
}

/**
 * The probabilities again, and d_scores = scale · p · (dP − pull). `statistics` [..., rows, 2] as the forward gave them,
 * `pull` [..., rows, 1] = Σ p · dP over a row, which is Σ o · d_o. Throws `ShapeError` when they do not fit.
 */
export function causalSoftmaxGradient(
  { scores, statistics, dP, pull }: Readonly<Record<'scores' | 'statistics' | 'dP' | 'pull', Value>>,
  block: QueryBlock,
): readonly [p: Value, dScores: Value] {
  const [p, dScores] = gradientOp([scores, statistics, dP, pull], block);
  return [p, dScores];
}

function checkScores(name: string, scores: Type, { first, queries }: QueryBlock): void {
  requireFloats(name, [scores]);
  const [rows, keys] = scores.shape.slice(-2).map(Number);
  if (rows % queries === 0 && keys >= first + queries) return;
  throw new ShapeError(name, `scores ${showShape(scores.shape)} are not of ${queries} queries from ${first}`);
}

/** A row, where it begins, how many of its elements count, and how many it has. */
interface Row {
  readonly row: number;
  readonly at: number;
  readonly live: number;
  readonly width: number;
}

function eachRow(shape: readonly number[], { first, queries }: QueryBlock, body: (row: Row) => void): void {
  const width = shape.at(-1)!;
  const rows = elements(shape.slice(0, -1));
  for (let row = 0; row < rows; row++) body({ row, at: row * width, live: first + (row % queries) + 1, width });
}

/** Emits `body` for every row. Returns false for shapes that rows of sixteens do not fit. */
function overLiveRows(
  kernel: Kernel,
  shape: Shape,
  { first, queries }: QueryBlock,
  body: (live: LiveRow, row: I32) => void,
): boolean {
  const width = Number(shape.at(-1));
  if (!isStatic(shape) || width % SUM_LANES !== 0) return false;
  kernel.rows(maxElements(shape.slice(0, -1)), width, (row, start) => {
    const query = i32.remU(row, i32.const(queries));
    body(new LiveRow(kernel, width, start, kernel.fn.let(i32.add(query, i32.const(first + 1)), 'live')), row);
  });
  return true;
}

/** Far below every score, and finite: its exponential is exactly 0. */
const never = -1e30;

/** Scaled scores for ONNX, those of keys beyond a query pushed to −1e30. */
function maskedScores(graph: OnnxGraph, scores: string, shape: readonly number[], block: QueryBlock): string {
  const { first, queries, scale } = block;
  const keys = shape.at(-1)!;
  const mask = Float32Array.from({ length: queries * keys }, (_, i) =>
    i % keys > first + Math.floor(i / keys) ? never : 0,
  );
  const scaled = graph.one('Mul', [scores, graph.float32([scale], [])]);
  const blocks = graph.one('Reshape', [scaled, graph.int64([-1, queries, keys])]);
  const masked = graph.one('Add', [blocks, graph.float32(mask, [queries, keys])]);
  return graph.one('Reshape', [masked, graph.int64(shape)]);
}
