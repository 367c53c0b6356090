/**
 * The rows that `causalSoftmax` and its gradient walk: row r of a block of n queries belongs to query `first` + r mod n, and
 * has keys 0 … that one; what is beyond is not read.
 */
import { requireFloats } from '../check.ts';
import type { OnnxGraph } from '../cpu/onnx_graph.ts';
import { i32, type I32 } from '../cpu/wasm/instructions.ts';
import type { Kernel } from '../cpu/wasm/kernel.ts';
import { LiveRow } from '../cpu/wasm/live_row.ts';
import { ShapeError } from '../errors.ts';
import { SUM_LANES } from '../lane_sum.ts';
import { elements, isStatic, maxElements, showShape, type Shape } from '../shape.ts';
import type { Type } from '../type.ts';

export interface QueryBlock {
  /** The first query. */
  readonly first: number;
  /** n. */
  readonly queries: number;
  /** What scores are multiplied by: d^-0.5. */
  readonly scale: number;
}

/** Throws `DTypeError` or `ShapeError` in the name of `name`. */
export function checkScores(name: string, scores: Type, { first, queries }: QueryBlock): void {
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

export function eachRow(shape: readonly number[], { first, queries }: QueryBlock, body: (row: Row) => void): void {
  const width = shape.at(-1)!;
  const rows = elements(shape.slice(0, -1));
  for (let row = 0; row < rows; row++) body({ row, at: row * width, live: first + (row % queries) + 1, width });
}

/** Emits `body` for every row. Returns false for shapes that rows of sixteens do not fit. */
export function overLiveRows(
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
export function maskedScores(graph: OnnxGraph, scores: string, shape: readonly number[], block: QueryBlock): string {
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
