/**
 * The rows that `causalSoftmax` and its gradient walk: row r of a block of n queries belongs to query `first` + r mod n, and
 * has keys 0 … that one, or from its begin on where there are begins (`causal_begins.ts`); other keys are not read.
 */
import { requireDType, requireFloats } from '../check.ts';
import type { OnnxGraph } from '../cpu/onnx_graph.ts';
import { i32, type I32 } from '../cpu/wasm/instructions.ts';
import type { Kernel, WasmOperand } from '../cpu/wasm/kernel.ts';
import { LiveRow } from '../cpu/wasm/live_row.ts';
import { ShapeError } from '../errors.ts';
import { SUM_LANES } from '../lane_sum.ts';
import { elements, isStatic, maxElements, showShape, type Shape } from '../shape.ts';
import type { Operand, Type } from '../type.ts';
import { beginAt, emitBegin } from './causal_begins.ts';

export interface QueryBlock {
  /** The first query. */
  readonly first: number;
  /** n. */
  readonly queries: number;
  /** What scores are multiplied by: d^-0.5. */
  readonly scale: number;
}

/** What a block's rows are made of: scores [sequences, ..., rows, keys], and the begins of all queries where there are some. */
interface Given<T> {
  readonly scores: T;
  readonly begins?: T | undefined;
}

/** Throws `DTypeError` or `ShapeError` in the name of `name`. */
export function checkScores(name: string, scores: Type, { first, queries }: QueryBlock, begins?: Type): void {
  requireFloats(name, [scores]);
  const [rows, keys] = scores.shape.slice(-2).map(Number);
  if (rows % queries !== 0 || keys < first + queries) {
    throw new ShapeError(name, `scores ${showShape(scores.shape)} are not of ${queries} queries from ${first}`);
  }
  if (begins === undefined) return;
  requireDType(name, begins, 'i32');
  const tokens = tokensOf(scores.shape, begins.shape);
  if (Number.isInteger(tokens) && tokens >= first + queries) return;
  throw new ShapeError(name, `begins ${showShape(begins.shape)} do not fit scores ${showShape(scores.shape)}`);
}

/** Queries of a sequence, T. */
const tokensOf = (scores: Shape, begins: Shape): number => maxElements(begins) / Number(scores[0]);

/** A row, where it begins, which of its elements count, from `begin` to before `live`, and how many it has. */
interface Row {
  readonly row: number;
  readonly at: number;
  readonly begin: number;
  readonly live: number;
  readonly width: number;
}

/** Runs `body` for every row. Throws `ShapeError` in the name of `name` for a begin that is none. */
export function eachRow(
  name: string,
  { scores: { shape }, begins }: Given<Operand>,
  { first, queries }: QueryBlock,
  body: (row: Row) => void,
): void {
  const width = shape.at(-1)!;
  const rows = elements(shape.slice(0, -1));
  const rowsEach = elements(shape.slice(1, -1));
  const tokens = begins === undefined ? 0 : tokensOf(shape, begins.shape);
  for (let row = 0; row < rows; row++) {
    const query = first + (row % queries);
    const begin = beginAt(name, begins, Math.floor(row / rowsEach) * tokens + query, query);
    body({ row, at: row * width, begin, live: query + 1, width });
  }
}

/** Emits `body` for every row. Returns false for shapes that rows of sixteens do not fit. */
export function overLiveRows(
  kernel: Kernel,
  { scores, begins }: Given<WasmOperand>,
  { first, queries }: QueryBlock,
  body: (live: LiveRow, row: I32) => void,
): boolean {
  const { shape } = scores.type;
  const width = Number(shape.at(-1));
  if (!isStatic(shape) || width % SUM_LANES !== 0) return false;
  kernel.rows(maxElements(shape.slice(0, -1)), width, (row, start) => {
    const query = i32.remU(row, i32.const(queries));
    const live = kernel.fn.let(i32.add(query, i32.const(first + 1)), 'live');
    if (begins === undefined) return body(new LiveRow(kernel, width, start, live), row);
    const last = kernel.fn.let(i32.sub(live, i32.const(1)), 'query');
    const sequence = i32.divU(row, i32.const(maxElements(shape.slice(1, -1))));
    const at = kernel.fn.let(i32.add(i32.mul(sequence, i32.const(tokensOf(shape, begins.type.shape))), last));
    body(new LiveRow(kernel, width, start, live, emitBegin(kernel, begins, at, last)), row);
  });
  return true;
}

/** Far below every score, and finite: its exponential is exactly 0. */
const never = -1e30;

/** Scaled scores for ONNX, those of keys that a query does not see pushed to −1e30. */
export function maskedScores(
  graph: OnnxGraph,
  { scores, begins }: Given<string>,
  shape: readonly number[],
  block: QueryBlock,
): string {
  const { first, queries, scale } = block;
  const keys = shape.at(-1)!;
  const mask = Float32Array.from({ length: queries * keys }, (_, i) =>
    i % keys > first + Math.floor(i / keys) ? never : 0,
  );
  const scaled = graph.one('Mul', [scores, graph.float32([scale], [])]);
  const blocks = graph.one('Reshape', [scaled, graph.int64([-1, queries, keys])]);
  const masked = graph.one('Add', [blocks, graph.float32(mask, [queries, keys])]);
  if (begins === undefined) return graph.one('Reshape', [masked, graph.int64(shape)]);
  const ofSequences = graph.one('Reshape', [begins, graph.int64([shape[0], -1])]);
  const ofBlock = graph.one('Slice', [
    ofSequences,
    graph.int64([first]),
    graph.int64([first + queries]),
    graph.int64([1]),
  ]);
  const byQuery = graph.one('Reshape', [ofBlock, graph.int64([shape[0], 1, queries, 1])]);
  const isBefore = graph.one('Less', [graph.indices(keys), byQuery]);
  const byBlock = graph.one('Reshape', [masked, graph.int64([shape[0], -1, queries, keys])]);
  const seen = graph.one('Where', [isBefore, graph.float32([never], []), byBlock]);
  return graph.one('Reshape', [seen, graph.int64(shape)]);
}
