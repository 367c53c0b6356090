/**
 * Attention and its gradient as products of matrices with `attentionSoftmax` between, block by block (`attention_blocks.ts`).
 * Blocks run one after another, so that one block's scores are held at a time. Keys that are no multiple of sixteen, which the
 * softmax's generated code takes, are made one by rows of zeros that no query sees.
 */
import { isEmpty } from '../check.ts';
import type { Value } from '../graph.ts';
import { SUM_LANES } from '../lane_sum.ts';
import { isStatic } from '../shape.ts';
import { attentionBlocks, type AttentionBlock } from './attention_blocks.ts';
import type { Extras } from './attention_extras.ts';
import type { AttentionForm, ForwardOperands, GradientOperands } from './attention_form.ts';
import { attentionSoftmax } from './attention_softmax.ts';
import { attentionSoftmaxGradient } from './attention_softmax_gradient.ts';
import type { QueryBlock } from './attention_softmax_rows.ts';
import { concat } from './concat.ts';
import { matmul } from './matmul.ts';
import { mul } from './mul.ts';
import { reduceSum } from './reduce_sum.ts';
import { reshape } from './reshape.ts';
import { pad, slice } from './slice.ts';
import { sumPrefixes } from './sum_prefixes.ts';

/** The tokens' axis of [B, H, T, d]. */
const TOKENS = 2;
/** Attention is fp32 in a trace of any precision. */
const full = { precision: 'f32' } as const;

/** o and statistics; null where a shape is not fixed, or empty. */
export function attentionParts(operands: ForwardOperands<Value>, form: AttentionForm): readonly Value[] | null {
  const cut = cutOf(operands, form, true);
  if (cut === null) return null;
  const { q, k, v } = cut;
  const parts = inTurn(q, cut.blocks, (block) => {
    const scores = matmul(cut.rows(q, block), keysOf(k, block), { transposeB: true, ...full });
    const [p, statistics] = attentionSoftmax(scores, cut.queryBlock(block), cut.extras(block));
    return [cut.heads(matmul(p, keysOf(v, block), full), block), cut.heads(statistics, block)];
  });
  return [0, 1].map((i) => joined(parts.map((part) => part[i])));
}

/** dq, dk, dv, and d_bias where there is one; null where a shape is not fixed, or empty. */
export function attentionGradientParts(
  operands: GradientOperands<Value>,
  form: AttentionForm,
): readonly Value[] | null {
  // What only is causal stays onnxruntime's: the gradients of runs would have other bits.
  const isPlain = form.causal && form.window === null && form.given.every((name) => name === 'begins');
  const cut = cutOf(operands, form, !isPlain);
  if (cut === null) return null;
  const { q, k, v } = cut;
  const { o, statistics, dO } = operands;
  const pull = reduceSum(mul(o, dO), [-1], true);
  const sums = new KeySums();
  const parts = inTurn(q, cut.blocks, (block) => {
    const [queries, cotangents] = [cut.rows(q, block), cut.rows(dO, block)];
    const keys = keysOf(k, block);
    const given = {
      scores: matmul(queries, keys, { transposeB: true, ...full }),
      statistics: cut.rows(statistics, block),
      dP: matmul(cotangents, keysOf(v, block), { transposeB: true, ...full }),
      pull: cut.rows(pull, block),
    };
    const { p, dScores, dBias } = attentionSoftmaxGradient(given, cut.queryBlock(block), cut.extras(block));
    const open = sums.add(block, [
      matmul(dScores, queries, { transposeA: true, ...full }),
      matmul(p, cotangents, { transposeA: true, ...full }),
    ]);
    const dq = cut.heads(matmul(dScores, keys, full), block);
    return [dq, ...open, ...(dBias === undefined ? [] : [cut.wholeBias(dBias, block)])];
  });
  const ofQueries = (i: number, axis: number): Value[] =>
    parts[0].length > i
      ? [
          joined(
            parts.map((part) => part[i]),
            axis,
          ),
        ]
      : [];
  return [...ofQueries(0, TOKENS), ...sums.whole().map((x) => slice(x, TOKENS, 0, cut.keys)), ...ofQueries(3, 1)];
}

/**
 * Gradients of keys and values, summed over blocks in their order. Keys before those of a block get nothing more from it
 * or from any after it: their sums are closed.
 */
class KeySums {
  private readonly closed: (readonly Value[])[] = [];
  private open: readonly Value[] = [];
  private from = 0;

  /** Adds what a block gives; returns the sums that are open then. */
  add({ firstKey }: AttentionBlock, dKeys: readonly Value[]): readonly Value[] {
    const by = firstKey - this.from;
    if (by > 0) {
      this.closed.push(this.open.map((x) => slice(x, TOKENS, 0, by)));
      this.open = this.open.map((x) => slice(x, TOKENS, by, Number(x.type.shape[TOKENS])));
      this.from = firstKey;
    }
    this.open = this.open.length === 0 ? dKeys : dKeys.map((x, i) => sumPrefixes([this.open[i], x], TOKENS));
    return this.open;
  }

  whole(): readonly Value[] {
    const parts = [...this.closed, this.open];
    return this.open.map((_, i) => joined(parts.map((part) => part[i])));
  }
}

/**
 * Operands, and how they are cut: with rows of zeros behind the last key if `isFilled`. The query heads that share a key head
 * stand below one another as rows of one matrix.
 */
function cutOf({ q, k, v, extras }: ForwardOperands<Value>, form: AttentionForm, isFilled: boolean) {
  const [shape, keyShape] = [q.type.shape, k.type.shape];
  if (!isStatic(shape) || !isStatic(keyShape) || isEmpty(shape) || isEmpty(keyShape)) return null;
  const [batch, heads, queries, width] = shape;
  const [, keyHeads, keys] = keyShape;
  const share = heads / keyHeads;
  // A product of one row would be the plain reference's: a row of zeros stands below it.
  const isSingle = share * queries === 1 && keys > 1;
  const spare = isFilled && keys > 1 ? (SUM_LANES - (keys % SUM_LANES)) % SUM_LANES : 0;
  // The keys' axis of a bias is the third, too.
  const filled = (x: Value): Value => (spare === 0 ? x : pad(x, TOKENS, 0, spare));
  const bias = extras.bias && filled(extras.bias);
  const reshaped = (x: Value, ...sizes: number[]): Value =>
    share === 1 ? x : reshape(x, [...sizes, Number(x.type.shape.at(-1))]);
  const paired = (x: Value): Value => (isSingle ? pad(x, -2, 0, 1) : x);
  const single = (x: Value): Value => (isSingle ? slice(x, -2, 0, 1) : x);
  return {
    q,
    k: filled(k),
    v: filled(v),
    keys,
    blocks: attentionBlocks(queries, keys, width, form).map((block) =>
      block.endKey === keys ? { ...block, endKey: keys + spare } : block,
    ),
    /** The rows of a block: [B, H, T, c] → [B, Hkv, share · n, c]. */
    rows: (x: Value, { first, end }: AttentionBlock): Value =>
      paired(reshaped(slice(x, TOKENS, first, end), batch, keyHeads, share * (end - first))),
    /** [B, Hkv, share · n, c] → [B, H, n, c]. */
    heads: (x: Value, { first, end }: AttentionBlock): Value => reshaped(single(x), batch, heads, end - first),
    /** The bias [H, Tq, Tk] of a block: [Hkv, share · n, its keys]. */
    extras: ({ first, end, firstKey, endKey }: AttentionBlock): Extras<Value> => {
      if (bias === undefined) return extras;
      const own = slice(slice(bias, 1, first, end), 2, firstKey, endKey);
      return { ...extras, bias: paired(reshaped(own, keyHeads, share * (end - first))) };
    },
    /** [Hkv, share · n, keys of the block] → [H, n, Tk]. */
    wholeBias: (x: Value, { first, end, firstKey, endKey }: AttentionBlock): Value => {
      const own = slice(reshaped(single(x), heads, end - first), 2, 0, Math.min(endKey, keys) - firstKey);
      return firstKey === 0 && endKey >= keys ? own : pad(own, 2, firstKey, Math.max(0, keys - endKey));
    },
    queryBlock: ({ first, end, firstKey }: AttentionBlock): QueryBlock => ({
      ...form,
      first,
      queries: end - first,
      allQueries: queries,
      firstKey,
      allKeys: keys,
    }),
  };
}

/** What `make` gives for each block, each after the one before. */
function inTurn(
  { graph }: Value,
  blocks: readonly AttentionBlock[],
  make: (block: AttentionBlock) => readonly Value[],
): (readonly Value[])[] {
  let before: readonly Value[] = [];
  return blocks.map((block) => {
    before = graph.after(before, () => make(block));
    return before;
  });
}

const keysOf = (x: Value, { firstKey, endKey }: AttentionBlock): Value => slice(x, TOKENS, firstKey, endKey);

const joined = (parts: readonly Value[], axis = TOKENS): Value => (parts.length === 1 ? parts[0] : concat(parts, axis));
