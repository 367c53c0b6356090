/**
 * Causal attention and its gradient as products of matrices with `causalSoftmax` between, for sequences whose scores may be
 * held: at most 512 tokens. Blocks of 128 queries over the keys up to the block's end, as in `causal_attention_block.ts`.
 */
import type { Value } from '../graph.ts';
import { SUM_LANES } from '../lane_sum.ts';
import { isStatic } from '../shape.ts';
import { queryRanges, type QueryRange } from './causal_attention_block.ts';
import { causalSoftmax, causalSoftmaxGradient } from './causal_softmax.ts';
import { concat } from './concat.ts';
import { matmul } from './matmul.ts';
import { reshape } from './reshape.ts';
import { slice } from './slice.ts';
import { sumPrefixes } from './sum_prefixes.ts';

const mostTokens = 512;

/** o of q, k, v, or null where blocks of sixteens do not fit. */
export function attentionParts([q, k, v]: readonly Value[]): readonly Value[] | null {
  const blocks = blocksOf(q, k);
  if (blocks === null) return null;
  const outputs = blocks.ranges.map((range) => {
    const p = causalSoftmax(blocks.scores(q, k, range), blocks.queryBlock(range));
    return blocks.ungrouped(matmul(p, upTo(v, range)), range);
  });
  return [concatenated(outputs)];
}

/** dq, dk, dv of q, k, v, o, dO, or null where blocks of sixteens do not fit. */
export function attentionGradientParts([q, k, v, , dO]: readonly Value[]): readonly Value[] | null {
  const blocks = blocksOf(q, k);
  if (blocks === null) return null;
  const parts = blocks.ranges.map((range) => {
    const dP = blocks.scores(dO, v, range);
    const [p, dScores] = causalSoftmaxGradient(blocks.scores(q, k, range), dP, blocks.queryBlock(range));
    return {
      dq: blocks.ungrouped(matmul(dScores, upTo(k, range)), range),
      dk: matmul(dScores, blocks.grouped(q, range), { transposeA: true }),
      dv: matmul(p, blocks.grouped(dO, range), { transposeA: true }),
    };
  });
  return [
    concatenated(parts.map(({ dq }) => dq)),
    sumPrefixes(
      parts.map(({ dk }) => dk),
      2,
    ),
    sumPrefixes(
      parts.map(({ dv }) => dv),
      2,
    ),
  ];
}

function blocksOf(q: Value, k: Value) {
  const { shape } = q.type;
  if (!isStatic(shape)) return null;
  const [batch, heads, tokens, width] = shape;
  if (batch === 0 || width < 2 || tokens < 2 || tokens > mostTokens || tokens % SUM_LANES !== 0) return null;
  const keyHeads = Number(k.type.shape[1]);
  const rows = ({ start, end }: QueryRange): number => (heads / keyHeads) * (end - start);
  const sized = (x: Value, ...sizes: number[]): Value => (heads === keyHeads ? x : reshape(x, sizes));
  /** The queries of a range, those that share a key head below one another: [B, Hkv, rep · n, d]. */
  const grouped = (x: Value, range: QueryRange): Value =>
    sized(slice(x, 2, range.start, range.end), batch, keyHeads, rows(range), width);
  return {
    ranges: queryRanges(tokens),
    grouped,
    ungrouped: (x: Value, { start, end }: QueryRange): Value => sized(x, batch, heads, end - start, width),
    scores: (rowsOf: Value, columnsOf: Value, range: QueryRange): Value =>
      matmul(grouped(rowsOf, range), upTo(columnsOf, range), { transposeB: true }),
    queryBlock: ({ start, end }: QueryRange) => ({ first: start, queries: end - start, scale: width ** -0.5 }),
  };
}

const upTo = (x: Value, { end }: QueryRange): Value => slice(x, 2, 0, end);

const concatenated = (parts: readonly Value[]): Value => (parts.length === 1 ? parts[0] : concat(parts, 2));
