/**
 * How attention is cut for onnxruntime: blocks of 128 queries over the keys up to the block's end. Forward and gradient
 * make a block's probabilities by the same nodes, so that they have the same bits. The query heads that share a key head
 * stand below one another as rows of one matrix, [B, Hkv, rep · n, d].
 */
import type { OnnxGraph } from '../cpu/onnx_graph.ts';

export interface QueryRange {
  readonly start: number;
  readonly end: number;
}

export interface AttentionBlocks {
  readonly ranges: readonly QueryRange[];
  /** d^-0.5. */
  readonly scale: number;
  /** [B, H, T, c] → for each range [B, Hkv, rep · n, c]. */
  split(x: string, width?: number): string[];
  /** [B, Hkv, rep · n, d] → [B, H, n, d]. */
  ungroup(x: string, range: QueryRange): string;
  /** The first `end` keys of [B, Hkv, T, d]. */
  upTo(x: string, end: number): string;
  /** Scores [B, Hkv, rep · n, end] with those of later keys pushed to −1e30. */
  mask(scores: string, range: QueryRange): string;
}

const blockRows = 128;
/** Far below every score, and finite: its exponential is exactly 0. */
const never = -1e30;

/** Ranges of 128 queries; the last also takes a single left-over query, since matmuls of one row have other bits. */
export function queryRanges(tokens: number): QueryRange[] {
  const ranges: QueryRange[] = [];
  for (let start = 0; start < tokens;) {
    const rest = tokens - start;
    const end = rest <= blockRows + 1 ? tokens : start + blockRows;
    ranges.push({ start, end });
    start = end;
  }
  return ranges;
}

export function attentionBlocks(
  graph: OnnxGraph,
  [batch, heads, tokens, width]: readonly number[],
  [, keyHeads]: readonly number[],
): AttentionBlocks {
  const ranges = queryRanges(tokens);
  const share = heads / keyHeads;
  const sizes = ranges.map(({ start, end }) => end - start);
  const reshape = (x: string, shape: readonly number[]) =>
    share === 1 ? x : graph.one('Reshape', [x, graph.int64(shape)]);
  const triangle = maskOf(Math.max(...sizes), tokens);
  return {
    ranges,
    scale: width ** -0.5,
    split: (x, columns = width) => {
      const parts = sizes.length === 1 ? [x] : graph.op('Split', [x, graph.int64(sizes)], { axis: 2 }, sizes.length);
      return parts.map((part, i) => reshape(part, [batch, keyHeads, share * sizes[i], columns]));
    },
    ungroup: (x, { start, end }) => reshape(x, [batch, heads, end - start, width]),
    upTo: (x, end) =>
      end === tokens ? x : graph.one('Slice', [x, graph.int64([0]), graph.int64([end]), graph.int64([2])]),
    mask: (scores, { start, end }) => {
      const n = end - start;
      const rows = reshape(scores, [batch, keyHeads, share, n, end]);
      const masked = graph.one('Add', [rows, maskedStrip(graph, triangle, n, end)]);
      return reshape(masked, [batch, keyHeads, share * n, end]);
    },
  };
}

/** Probabilities [B, Hkv, rep · n, end] of one block. */
export function blockProbabilities(
  graph: OnnxGraph,
  blocks: AttentionBlocks,
  range: QueryRange,
  queries: string,
  keys: string,
): string {
  const scores = graph.one('FusedMatMul', [queries, keys], { transB: 1, alpha: { float: blocks.scale } });
  return graph.one('Softmax', [blocks.mask(scores, range)], { axis: -1 });
}

interface Mask {
  readonly data: Float32Array;
  readonly rows: number;
  readonly columns: number;
}

/** The mask of the last block, which holds those of all others as its lower right part. */
function maskOf(rows: number, columns: number): Mask {
  const data = new Float32Array(rows * columns);
  for (let r = 0; r < rows; r++) data.fill(never, r * columns + columns - rows + r + 1, (r + 1) * columns);
  return { data, rows, columns };
}

function maskedStrip(graph: OnnxGraph, { data, rows, columns }: Mask, n: number, end: number): string {
  const whole = graph.float32(data, [rows, columns]);
  if (n === rows && end === columns) return whole;
  const starts = graph.int64([rows - n, columns - end]);
  return graph.one('Slice', [whole, starts, graph.int64([rows, columns]), graph.int64([0, 1])]);
}
