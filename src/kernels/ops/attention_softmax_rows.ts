/**
 * The rows that `attentionSoftmax` and its gradient walk: row r of a block of n queries belongs to query `first` + r mod n, and
 * has the keys that this query sees (`attention_mask.ts`); the scores of others are not read.
 */
import { requireFloats } from '../check.ts';
import type { OnnxGraph } from '../cpu/onnx_graph.ts';
import { i32, type I32 } from '../cpu/wasm/instructions.ts';
import type { Kernel, WasmOperand } from '../cpu/wasm/kernel.ts';
import { LiveRow } from '../cpu/wasm/live_row.ts';
import { ShapeError } from '../errors.ts';
import { SUM_LANES } from '../lane_sum.ts';
import { elements, isStatic, maxElements, sameShape, showShape } from '../shape.ts';
import type { Operand, Type } from '../type.ts';
import { checkExtras, type Extras } from './attention_extras.ts';
import type { AttentionForm } from './attention_form.ts';
import { emitInterval, fixedInterval, intervalOf } from './attention_mask.ts';

/** Queries of a sequence that are worked on together, and the keys that they see some of. */
export interface QueryBlock extends AttentionForm {
  /** The first query. */
  readonly first: number;
  /** n. */
  readonly queries: number;
  /** Tq, of which these are some. */
  readonly allQueries: number;
  /** The key of the first column of scores. */
  readonly firstKey: number;
  /** Tk. Columns behind the last key, to a multiple of sixteen, are nobody's. */
  readonly allKeys: number;
}

/** Scores [B, ..., rows, keys]; bias, of the block's own queries and keys, [..., rows, keys]; begins and ends of all queries. */
interface Given<T> {
  readonly scores: T;
  readonly extras: Extras<T>;
}

/** Throws `DTypeError` or `ShapeError` in the name of `name`. */
export function checkScores(
  name: string,
  { scores, extras: { bias, ...places } }: Given<Type>,
  block: QueryBlock,
): void {
  requireFloats(name, bias === undefined ? [scores] : [scores, bias]);
  const { first, queries, firstKey, allKeys } = block;
  const [rows, keys] = scores.shape.slice(-2).map(Number);
  const { begin } = fixedInterval(block, first, allKeys);
  const { end } = fixedInterval(block, first + queries - 1, allKeys);
  const isWithin = firstKey <= begin && firstKey + keys >= end && firstKey + keys < allKeys + SUM_LANES;
  if (rows % queries !== 0 || !isWithin) {
    throw new ShapeError(name, `scores ${showShape(scores.shape)} are not of ${queries} queries from ${first}`);
  }
  if (bias !== undefined && !sameShape(bias.shape, scores.shape.slice(1)))
    throw new ShapeError(name, `bias ${showShape(bias.shape)} does not fit scores ${showShape(scores.shape)}`);
  checkExtras(name, places, { batch: scores.shape[0], heads: 1, queries: block.allQueries, keys: allKeys });
}

/** A row, where it begins, which of its elements count, from `begin` to before `live`, and how many it has. */
interface Row {
  readonly row: number;
  readonly at: number;
  readonly begin: number;
  readonly live: number;
  readonly width: number;
  /** Where its bias begins. */
  readonly biasAt: number;
}

/** Runs `body` for every row. Throws `ShapeError` in the name of `name` for a begin or an end that is none. */
export function eachRow(
  name: string,
  { scores: { shape }, extras }: Given<Operand>,
  block: QueryBlock,
  body: (row: Row) => void,
): void {
  const width = shape.at(-1)!;
  const rows = elements(shape.slice(0, -1));
  const rowsEach = elements(shape.slice(1, -1));
  for (let row = 0; row < rows; row++) {
    const query = block.first + (row % block.queries);
    const index = Math.floor(row / rowsEach) * block.allQueries + query;
    const { begin, end } = intervalOf(name, block, extras, index, query, block.allKeys);
    const live = Math.max(0, end - block.firstKey);
    const from = Math.min(Math.max(0, begin - block.firstKey), live);
    body({ row, at: row * width, begin: from, live, width, biasAt: (row % rowsEach) * width });
  }
}

/** A row in generated code. */
interface EmittedRow {
  readonly live: LiveRow;
  readonly row: I32;
  /** Added to the byte of a score it gives that of its bias. */
  readonly toBias: I32;
}

/** Emits `body` for every row. Returns false for shapes that rows of sixteens do not fit. */
export function overLiveRows(
  kernel: Kernel,
  { scores, extras }: Given<WasmOperand>,
  block: QueryBlock,
  body: (row: EmittedRow) => void,
): boolean {
  const { shape } = scores.type;
  const width = Number(shape.at(-1));
  if (!isStatic(shape) || width % SUM_LANES !== 0) return false;
  const { fn } = kernel;
  const { first, queries, firstKey, allQueries, allKeys } = block;
  const rowsEach = maxElements(shape.slice(1, -1));
  const bounds = { keys: allKeys, first: firstKey, last: Math.min(firstKey + width, allKeys) };
  kernel.rows(maxElements(shape.slice(0, -1)), width, (row, start) => {
    const query = fn.let(i32.add(i32.remU(row, i32.const(queries)), i32.const(first)), 'query');
    const sequence = fn.let(i32.divU(row, i32.const(rowsEach)), 'sequence');
    const index = fn.let(i32.add(i32.mul(sequence, i32.const(allQueries)), query));
    const { begin, end } = emitInterval(kernel, block, extras, { index, query, ...bounds });
    const toBias = fn.let(i32.mul(sequence, i32.const(-rowsEach * width * 4)));
    body({ live: new LiveRow(kernel, width, start, end, begin), row, toBias });
  });
  return true;
}

/** Can a query see no key at all? */
export const canBeEmpty = ({ begins, ends }: Extras<unknown>): boolean => begins !== undefined || ends !== undefined;

/** Far below every score, and finite: its exponential is exactly 0. */
const never = -1e30;

/** Scaled scores for ONNX, with their bias, those of keys that a query does not see pushed to −1e30. */
export function maskedScores(
  graph: OnnxGraph,
  { scores, extras: { bias, begins, ends } }: Given<string>,
  shape: readonly number[],
  block: QueryBlock,
): string {
  const { first, queries, firstKey, scale } = block;
  const keys = shape.at(-1)!;
  const mask = Float32Array.from({ length: queries * keys }, (_, i) => {
    const { begin, end } = fixedInterval(block, first + Math.floor(i / keys), block.allKeys);
    const key = firstKey + (i % keys);
    return key < begin || key >= end ? never : 0;
  });
  const scaled = graph.one('Mul', [scores, graph.float32([scale], [])]);
  const biased = bias === undefined ? scaled : graph.one('Add', [scaled, bias]);
  const blocks = graph.one('Reshape', [biased, graph.int64([-1, queries, keys])]);
  let masked = graph.one('Add', [blocks, graph.float32(mask, [queries, keys])]);
  const ofBlock = (places: string): string => {
    const ofSequences = graph.one('Reshape', [places, graph.int64([shape[0], -1])]);
    const range = [first, first + queries, 1].map((x) => graph.int64([x]));
    return graph.one('Reshape', [graph.one('Slice', [ofSequences, ...range]), graph.int64([shape[0], 1, queries, 1])]);
  };
  const hide = (isHidden: string): void => {
    const byBlock = graph.one('Reshape', [masked, graph.int64([shape[0], -1, queries, keys])]);
    masked = graph.one('Where', [isHidden, graph.float32([never], []), byBlock]);
  };
  const columns = (): string => graph.one('Add', [graph.indices(keys), graph.int32([firstKey], [])]);
  if (begins !== undefined) hide(graph.one('Less', [columns(), ofBlock(begins)]));
  if (ends !== undefined) hide(graph.one('GreaterOrEqual', [columns(), ofBlock(ends)]));
  return graph.one('Reshape', [masked, graph.int64(shape)]);
}
