/**
 * o = softmax(q kᵀ / √d, keys up to the query's own position) v. k and v may have fewer heads (arXiv 2305.13245): query head h
 * reads key head h // (H / Hkv). With begins, keys before a query's begin are not seen either: see `causal_begins.ts`. For the
 * gradient, which makes the probabilities again, q, k, v, o and two numbers for each query are kept: see `causal_softmax.ts`. No
 * device holds a T × T matrix: the CPU runs its parts, WebGPU a shader.
 */
import { requireFloats, requireRank, staticSize } from '../check.ts';
import { floats } from '../dtype.ts';
import { ShapeError } from '../errors.ts';
import type { Value } from '../graph.ts';
import { defineOp } from '../op.ts';
import type { Operand, Type } from '../type.ts';
import { maxElements, sameDim, sameShape, showShape } from '../shape.ts';
import { causalAttentionGradient } from './causal_attention_gradient.ts';
import { attentionParts } from './causal_attention_parts.ts';
import { attentionPass } from './causal_attention_shader.ts';
import { beginAt, checkBegins } from './causal_begins.ts';

const op = defineOp<undefined>({
  name: 'causal_attention',
  infer: ([q, k, v, begins]) => {
    checkHeads(q, k, v);
    checkBegins('causal_attention', begins, q.shape[0], q.shape[2]);
    return [q, { dtype: 'f32', shape: q.shape.with(-1, 2) }];
  },
  reference: (inputs, outputs) => attend(inputs, outputs),
  gradient: ({ inputs, outputs: [o, statistics], cotangents: [c] }) => {
    if (c === null) return inputs.map(() => null);
    const [q, k, v, ...begins] = inputs;
    return [...causalAttentionGradient([q, k, v, o, statistics, c, ...begins]), ...begins.map(() => null)];
  },
  decompose: attentionParts,
  wgsl: attentionPass,
  // Scores and their product with the values, in full: as published figures count them, without causal halving.
  flops: ({ inputs: [q] }) => 4 * maxElements(q.shape) * maxElements([q.shape[2]]),
});

/**
 * Attention of each query over the keys up to its own: q [B, H, T, d], k and v [B, Hkv, T, d], Hkv divides H → [B, H, T, d].
 * `begins`, i32 [B, T] or [B·T], are the first keys that queries see, 0 where it is not given. Throws `ShapeError` or `DTypeError`
 * when they do not fit, and `ShapeError` when it runs into a begin that is negative or behind its query.
 */
export function causalAttention(q: Value, k: Value, v: Value, begins?: Value): Value {
  return op(begins === undefined ? [q, k, v] : [q, k, v, begins], undefined)[0];
}

function checkHeads(q: Type, k: Type, v: Type): void {
  requireFloats('causal_attention', [q, k, v]);
  requireRank('causal_attention', 'q', q, 4);
  const fail = (why: string) =>
    new ShapeError(
      'causal_attention',
      `q ${showShape(q.shape)}, k ${showShape(k.shape)}, v ${showShape(v.shape)}: ${why}`,
    );
  if (!sameShape(k.shape, v.shape)) throw fail('k and v differ');
  if (k.shape.length !== 4 || [0, 2, 3].some((i) => !sameDim(q.shape[i], k.shape[i]))) throw fail('q and k do not fit');
  const heads = staticSize('causal_attention', 'the number of heads', q.shape[1]);
  const keyHeads = staticSize('causal_attention', 'the number of key heads', k.shape[1]);
  if (keyHeads < 1 || heads % keyHeads !== 0) throw fail('the key heads do not divide the heads');
}

function attend([q, k, v, begins]: readonly Operand[], [o, statistics]: readonly Operand[]): void {
  const [q_, k_, v_] = [q, k, v].map((x) => floats('causal_attention', x.data));
  const o_ = floats('causal_attention', o.data);
  const statistics_ = floats('causal_attention', statistics.data);
  const [batch, heads, tokens, width] = q.shape;
  const share = heads / k.shape[1];
  const scale = width ** -0.5;
  const p = new Float64Array(tokens);
  const sums = new Float64Array(width);
  for (let s = 0; s < batch * heads; s++) {
    const keys = Math.floor(s / share) * tokens * width;
    const sequence = Math.floor(s / heads);
    for (let t = 0; t < tokens; t++) {
      const row = (s * tokens + t) * width;
      const begin = beginAt('causal_attention', begins, sequence * tokens + t, t);
      const { max, total } = softmaxRow(p, q_, row, k_, keys, { begin, last: t }, width, scale);
      sums.fill(0);
      for (let j = begin; j <= t; j++) {
        for (let i = 0, at = keys + j * width; i < width; i++) sums[i] += p[j] * v_[at + i];
      }
      for (let i = 0; i < width; i++) o_[row + i] = sums[i] / total;
      statistics_.set([max, 1 / total], (s * tokens + t) * 2);
    }
  }
}

/** Unnormalised probabilities of a query over keys begin … last into `p`; returns the largest score and their sum. */
function softmaxRow(
  p: Float64Array,
  q: Float32Array,
  row: number,
  k: Float32Array,
  keys: number,
  { begin, last }: { readonly begin: number; readonly last: number },
  width: number,
  scale: number,
): { max: number; total: number } {
  let max = -Infinity;
  for (let j = begin; j <= last; j++) {
    let dot = 0;
    for (let i = 0, at = keys + j * width; i < width; i++) dot += q[row + i] * k[at + i];
    p[j] = scale * dot;
    if (p[j] > max) max = p[j];
  }
  let total = 0;
  for (let j = begin; j <= last; j++) total += p[j] = Math.exp(p[j] - max);
  return { max, total };
}
