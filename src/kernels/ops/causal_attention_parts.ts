/**
 * Causal attention and its gradient as products of matrices with `causalSoftmax` between, by blocks of 128 queries over the
 * keys up to the block's end: no key is read that no query of the block may see. Blocks run one after another, so that one block's
 * scores are held at a time.
 */
import { isEmpty } from '../check.ts';
import type { Value } from '../graph.ts';
import { isStatic, type Shape } from '../shape.ts';
import { causalSoftmax } from './causal_softmax.ts';
import { causalSoftmaxGradient } from './causal_softmax_gradient.ts';
import { concat } from './concat.ts';
import { matmul } from './matmul.ts';
import { mul } from './mul.ts';
import { reduceSum } from './reduce_sum.ts';
import { reshape } from './reshape.ts';
import { slice } from './slice.ts';
import { sumPrefixes } from './sum_prefixes.ts';

export interface QueryRange {
  readonly start: number;
  readonly end: number;
}

const blockRows = 128;
/** The tokens' axis of [B, H, T, d]. */
const TOKENS = 2;
/** Attention is fp32 in a trace of any precision. */
const full = { precision: 'f32' } as const;

/** o and statistics of q, k, v and begins, where there are some; null where the shape is not fixed, or empty. */
export function attentionParts([q, k, v, begins]: readonly Value[]): readonly Value[] | null {
  const blocks = blocksOf(q.type.shape, k.type.shape);
  if (blocks === null) return null;
  const parts = inTurn(q, blocks.ranges, (range) => {
    const scores = matmul(blocks.grouped(q, range), upTo(k, range), { transposeB: true, ...full });
    const [p, statistics] = causalSoftmax(scores, blocks.queryBlock(range), begins);
    return [blocks.ungrouped(matmul(p, upTo(v, range), full), range), blocks.ungrouped(statistics, range)];
  });
  return [0, 1].map((i) => joined(parts.map((part) => part[i])));
}

/** dq, dk, dv of q, k, v, o, the statistics, dO and begins; null where the shape is not fixed, or empty. */
export function attentionGradientParts([q, k, v, o, statistics, dO, begins]: readonly Value[]):
  readonly Value[] | null {
  const blocks = blocksOf(q.type.shape, k.type.shape);
  if (blocks === null) return null;
  const pull = reduceSum(mul(o, dO), [-1], true);
  let sums: readonly Value[] | null = null;
  const dqs = inTurn(q, blocks.ranges, (range) => {
    const [queries, cotangents] = [blocks.grouped(q, range), blocks.grouped(dO, range)];
    const keys = upTo(k, range);
    const given = {
      scores: matmul(queries, keys, { transposeB: true, ...full }),
      statistics: blocks.grouped(statistics, range),
      dP: matmul(cotangents, upTo(v, range), { transposeB: true, ...full }),
      pull: blocks.grouped(pull, range),
    };
    const [p, dScores] = causalSoftmaxGradient(given, blocks.queryBlock(range), begins);
    const dKeys = [
      matmul(dScores, queries, { transposeA: true, ...full }),
      matmul(p, cotangents, { transposeA: true, ...full }),
    ];
    const before = sums;
    sums = before === null ? dKeys : dKeys.map((x, i) => sumPrefixes([before[i], x], TOKENS));
    return [blocks.ungrouped(matmul(dScores, keys, full), range), ...sums];
  });
  return [joined(dqs.map(([dq]) => dq)), ...dqs[dqs.length - 1].slice(1)];
}

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

/** How q, k and v are cut. The query heads that share a key head stand below one another as rows of one matrix. */
function blocksOf(shape: Shape, keyShape: Shape) {
  if (!isStatic(shape) || !isStatic(keyShape) || isEmpty(shape)) return null;
  const [batch, heads, tokens, width] = shape;
  const keyHeads = keyShape[1];
  const sized = (x: Value, ...sizes: number[]): Value =>
    heads === keyHeads ? x : reshape(x, [...sizes, Number(x.type.shape[3])]);
  return {
    ranges: queryRanges(tokens),
    /** The rows of a range: [B, H, T, c] → [B, Hkv, rep · n, c]. */
    grouped: (x: Value, { start, end }: QueryRange): Value =>
      sized(slice(x, TOKENS, start, end), batch, keyHeads, (heads / keyHeads) * (end - start)),
    /** [B, Hkv, rep · n, c] → [B, H, n, c]. */
    ungrouped: (x: Value, { start, end }: QueryRange): Value => sized(x, batch, heads, end - start),
    queryBlock: ({ start, end }: QueryRange) => ({ first: start, queries: end - start, scale: width ** -0.5 }),
  };
}

/** What `make` gives for each range, each after the one before. */
function inTurn(
  { graph }: Value,
  ranges: readonly QueryRange[],
  make: (range: QueryRange) => readonly Value[],
): (readonly Value[])[] {
  let before: readonly Value[] = [];
  return ranges.map((range) => {
    before = graph.after(before, () => make(range));
    return before;
  });
}

const upTo = (x: Value, { end }: QueryRange): Value => slice(x, TOKENS, 0, end);

const joined = (parts: readonly Value[]): Value => (parts.length === 1 ? parts[0] : concat(parts, TOKENS));
