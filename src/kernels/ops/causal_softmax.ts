/**
 * The probabilities of causal attention for a block of queries, and the gradient of their scores: where attention is not
 * one op but products of matrices with these between. Row r of a block of n queries belongs to query `first` + r mod n, and
 * has keys 0 … that one: what is beyond is not read, its probability is 0.
 */
import { numbers } from '../arithmetic.ts';
import { requireFloats } from '../check.ts';
import { i32, type I32, type V128 } from '../cpu/wasm/instructions.ts';
import type { Kernel, WasmOperand } from '../cpu/wasm/kernel.ts';
import { LiveRow } from '../cpu/wasm/live_row.ts';
import { floats } from '../dtype.ts';
import { exp } from '../elementary.ts';
import { ShapeError } from '../errors.ts';
import type { Value } from '../graph.ts';
import { laneSum, SUM_LANES } from '../lane_sum.ts';
import { defineOp } from '../op.ts';
import { isStatic, maxElements, sameShape, showShape, type Shape } from '../shape.ts';
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
    return [scores];
  },
  reference: ([scores], [p], block) => {
    const from = floats('causal_softmax', scores.data);
    const to = floats('causal_softmax', p.data);
    eachRow(scores.shape, block, (at, live, width) => {
      to.fill(0, at, at + width);
      const inverse = exponentials(from, to, at, live, block.scale);
      for (let i = at; i < at + live; i++) to[i] = numbers.mul(to[i], inverse);
    });
  },
  wasm: (kernel, [scores], [p], block) => {
    const { f } = kernel;
    return overLiveRows(kernel, scores.type.shape, block, (row) => {
      const inverse = emitExponentials(kernel, row, scores, p, block.scale);
      row.each((at, offset, mask) => {
        kernel.store(p, row.live(f.mul(kernel.load(p, at, offset), inverse), mask), at, offset);
      });
    });
  },
});

const gradientOp = defineOp<QueryBlock>({
  name: 'causal_softmax_gradient',
  infer: ([scores, dP], block) => {
    checkScores('causal_softmax_gradient', scores, block);
    if (!sameShape(scores.shape, dP.shape)) {
      throw new ShapeError('causal_softmax_gradient', `${showShape(scores.shape)} and ${showShape(dP.shape)} differ`);
    }
    return [scores, scores];
  },
  reference: ([scores, dP], [p, dScores], block) => {
    const from = floats('causal_softmax_gradient', scores.data);
    const c = floats('causal_softmax_gradient', dP.data);
    const to = floats('causal_softmax_gradient', p.data);
    const d = floats('causal_softmax_gradient', dScores.data);
    eachRow(scores.shape, block, (at, live, width) => {
      to.fill(0, at, at + width);
      const inverse = exponentials(from, to, at, live, block.scale);
      const dot = laneSum(live, (i) => {
        to[at + i] = numbers.mul(to[at + i], inverse);
        return numbers.mul(to[at + i], c[at + i]);
      });
      d.fill(0, at, at + width);
      const scale = numbers.constant(block.scale);
      for (let i = at; i < at + live; i++) d[i] = numbers.mul(scale, numbers.mul(to[i], numbers.sub(c[i], dot)));
    });
  },
  wasm: (kernel, [scores, dP], [p, dScores], block) => {
    const { f } = kernel;
    return overLiveRows(kernel, scores.type.shape, block, (row) => {
      const inverse = emitExponentials(kernel, row, scores, p, block.scale);
      const dot = row.sum((at, offset, mask) => {
        const probability = row.live(f.mul(kernel.load(p, at, offset), inverse), mask);
        kernel.store(p, probability, at, offset);
        return row.live(f.mul(probability, kernel.load(dP, at, offset)), mask);
      });
      row.each((at, offset, mask) => {
        const pulled = f.mul(kernel.load(p, at, offset), f.sub(kernel.load(dP, at, offset), dot));
        kernel.store(dScores, row.live(f.mul(f.constant(block.scale), pulled), mask), at, offset);
      });
      row.zeroRest(dScores);
    });
  },
});

/** Probabilities of `scores` [..., rows, keys], a block of queries. Throws `ShapeError` when the block does not fit. */
export function causalSoftmax(scores: Value, block: QueryBlock): Value {
  return op([scores], block)[0];
}

/** The probabilities again, and d_scores = scale · p · (dP − Σ p · dP). */
export function causalSoftmaxGradient(
  scores: Value,
  dP: Value,
  block: QueryBlock,
): readonly [p: Value, dScores: Value] {
  const [p, dScores] = gradientOp([scores, dP], block);
  return [p, dScores];
}

function checkScores(name: string, scores: Type, { first, queries }: QueryBlock): void {
  requireFloats(name, [scores]);
  const [rows, keys] = scores.shape.slice(-2).map(Number);
  if (rows % queries === 0 && keys >= first + queries) return;
  throw new ShapeError(name, `scores ${showShape(scores.shape)} are not of ${queries} queries from ${first}`);
}

function eachRow(
  shape: readonly number[],
  { first, queries }: QueryBlock,
  body: (at: number, live: number, width: number) => void,
): void {
  const width = shape.at(-1)!;
  const rows = shape.slice(0, -1).reduce((n, size) => n * size, 1);
  for (let r = 0; r < rows; r++) body(r * width, first + (r % queries) + 1, width);
}

/** Writes exp(scale · score − max) of a row's live keys; returns 1 / sum. */
function exponentials(from: Float32Array, to: Float32Array, at: number, live: number, scale: number): number {
  const factor = numbers.constant(scale);
  let max = -Infinity;
  for (let i = at; i < at + live; i++) max = numbers.larger(numbers.mul(factor, from[i]), max);
  for (let i = at; i < at + live; i++) to[i] = exp(numbers, numbers.sub(numbers.mul(factor, from[i]), max));
  return numbers.div(
    1,
    laneSum(live, (i) => to[at + i]),
  );
}

/** Emits `body` for every row. Returns false for shapes that rows of sixteens do not fit. */
function overLiveRows(
  kernel: Kernel,
  shape: Shape,
  { first, queries }: QueryBlock,
  body: (row: LiveRow) => void,
): boolean {
  const width = Number(shape.at(-1));
  if (!isStatic(shape) || width % SUM_LANES !== 0) return false;
  kernel.rows(maxElements(shape.slice(0, -1)), width, (row, start) => {
    const query = i32.remU(row, i32.const(queries));
    body(new LiveRow(kernel, width, start, kernel.fn.let(i32.add(query, i32.const(first + 1)), 'live')));
  });
  return true;
}

/** `exponentials` in code, and 0 for what is not live. */
function emitExponentials(kernel: Kernel, row: LiveRow, scores: WasmOperand, p: WasmOperand, scale: number): V128 {
  const { f } = kernel;
  const scaled = (at: I32, offset: number): V128 => f.mul(f.constant(scale), kernel.load(scores, at, offset));
  const max = row.max(scaled);
  const sum = row.sum((at, offset, mask) => {
    const exponential = row.live(exp(f, f.sub(scaled(at, offset), max)), mask);
    kernel.store(p, exponential, at, offset);
    return exponential;
  });
  row.zeroRest(p);
  return f.div(f.constant(1), sum);
}
