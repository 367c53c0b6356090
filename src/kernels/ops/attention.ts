/**
 * o = softmax(scale · q kᵀ + bias, the keys that a query sees) v. k and v may have fewer heads (arXiv 2305.13245): query head h
 * reads key head h // (H / Hkv). Which keys are seen, an interval for each query: see `attention_mask.ts`. For the gradient, which
 * makes the probabilities again, q, k, v, o and two numbers for each query are kept: see `attention_softmax.ts`. No device holds
 * a Tq × Tk matrix: the CPU runs its parts, WebGPU a shader.
 */
import { requireFloats, requireRank, staticSize } from '../check.ts';
import { floats } from '../dtype.ts';
import { ShapeError } from '../errors.ts';
import type { Value } from '../graph.ts';
import { defineOp } from '../op.ts';
import type { Operand, Type } from '../type.ts';
import { maxElements, sameDim, sameShape, showShape } from '../shape.ts';
import { checkExtras, extraOperands, namesOf } from './attention_extras.ts';
import { forwardOperands, type AttentionForm, type ForwardOperands } from './attention_form.ts';
import { attentionGradient } from './attention_gradient.ts';
import { intervalOf } from './attention_mask.ts';
import { attentionParts } from './attention_parts.ts';
import { attentionPasses } from './attention_shader.ts';

/** d is the width of a head, and Hkv divides H. */
export interface AttentionOperands {
  /** [B, H, Tq, d]. */
  readonly q: Value;
  /** [B, Hkv, Tk, d]. */
  readonly k: Value;
  /** [B, Hkv, Tk, d]. */
  readonly v: Value;
  /** [H, Tq, Tk], added to the scaled scores of every sequence. Its gradient is the sum over sequences, in their order. */
  readonly bias?: Value | undefined;
  /** i32 [B, Tq] or [B·Tq]: the first key that each query sees; 0 where it is not given. */
  readonly begins?: Value | undefined;
  /** i32 [B, Tq] or [B·Tq]: the key behind the last that each query sees; Tk where it is not given. */
  readonly ends?: Value | undefined;
}

export interface AttentionOptions {
  /** A query sees keys up to its own only. Needs Tq = Tk. */
  readonly causal: boolean;
  /** Of causal attention: a query sees so many keys, its own the last (arXiv 2310.06825). */
  readonly window?: number | undefined;
  /** What q kᵀ is multiplied by; default d^-½. */
  readonly scale?: number | undefined;
}

const op = defineOp<AttentionForm>({
  name: 'attention',
  infer: (types, form) => {
    const { q, k, v, extras } = forwardOperands(types, form);
    checkHeads(q, k, v, form.causal);
    const [batch, heads, queries] = q.shape;
    checkExtras('attention', extras, { batch, heads, queries, keys: k.shape[2] });
    return [q, { dtype: 'f32', shape: q.shape.with(-1, 2) }];
  },
  reference: (inputs, outputs, form) => attend(forwardOperands(inputs, form), outputs, form),
  gradient: ({ inputs, outputs: [o, statistics], cotangents: [c] }, form) => {
    if (c === null) return inputs.map(() => null);
    const gradients = attentionGradient([...inputs, o, statistics, c], form);
    return inputs.map((_, i) => gradients[i] ?? null);
  },
  decompose: (inputs, form) => attentionParts(forwardOperands(inputs, form), form),
  wgsl: (lowering, inputs, outputs, form) => attentionPasses(lowering, forwardOperands(inputs, form), outputs, form),
  // Scores and their product with the values, in full: as published figures count them, without causal halving.
  flops: ({ inputs: [q, k] }, { window }) =>
    4 * maxElements(q.shape) * Math.min(maxElements([k.shape[2]]), window ?? Infinity),
});

/**
 * Attention of each query over the keys that it sees → [B, H, Tq, d]. A query that sees none gives zeros, and no gradient. What
 * no query sees must still be finite. B may be dynamic. Throws `ShapeError` or `DTypeError` when operands do not fit, and
 * `ShapeError` when it runs into a begin or an end outside of 0 … Tk.
 */
export function attention({ q, k, v, ...extras }: AttentionOperands, options: AttentionOptions): Value {
  const {
    causal,
    window = null,
    scale = staticSize('attention', 'the head width', q.type.shape.at(-1) ?? 0) ** -0.5,
  } = options;
  if (window !== null && (!causal || !Number.isInteger(window) || window < 1))
    throw new ShapeError('attention', `a window of ${window} keys needs causal attention, and to be one key or more`);
  return op([q, k, v, ...extraOperands(extras)], { causal, window, scale, given: namesOf(extras) })[0];
}

function checkHeads(q: Type, k: Type, v: Type, causal: boolean): void {
  requireFloats('attention', [q, k, v]);
  requireRank('attention', 'q', q, 4);
  const fail = (why: string) =>
    new ShapeError('attention', `q ${showShape(q.shape)}, k ${showShape(k.shape)}, v ${showShape(v.shape)}: ${why}`);
  if (!sameShape(k.shape, v.shape)) throw fail('k and v differ');
  if (k.shape.length !== 4 || [0, 3].some((i) => !sameDim(q.shape[i], k.shape[i]))) throw fail('q and k do not fit');
  const heads = staticSize('attention', 'the number of heads', q.shape[1]);
  const keyHeads = staticSize('attention', 'the number of key heads', k.shape[1]);
  const queries = staticSize('attention', 'the number of queries', q.shape[2]);
  const keys = staticSize('attention', 'the number of keys', k.shape[2]);
  if (keyHeads < 1 || heads % keyHeads !== 0) throw fail('the key heads do not divide the heads');
  if (causal && queries !== keys) throw fail('causal attention needs as many keys as queries');
}

function attend(
  { q, k, v, extras }: ForwardOperands<Operand>,
  [o, statistics]: readonly Operand[],
  form: AttentionForm,
): void {
  const [q_, k_, v_, o_, statistics_] = [q, k, v, o, statistics].map((x) => floats('attention', x.data));
  const bias_ = extras.bias && floats('attention', extras.bias.data);
  const [batch, heads, queries, width] = q.shape;
  const [, keyHeads, keys] = k.shape;
  const p = new Float64Array(keys);
  const sums = new Float64Array(width);
  for (let s = 0; s < batch * heads; s++) {
    const from = Math.floor((s * keyHeads) / heads) * keys * width;
    for (let t = 0; t < queries; t++) {
      const query = s * queries + t;
      const index = Math.floor(s / heads) * queries + t;
      const { begin, end } = intervalOf('attention', form, extras, index, t, keys);
      const biasAt = ((s % heads) * queries + t) * keys;
      let max = -Infinity;
      for (let j = begin; j < end; j++) {
        let dot = 0;
        for (let i = 0; i < width; i++) dot += q_[query * width + i] * k_[from + j * width + i];
        p[j] = form.scale * dot + (bias_ === undefined ? 0 : bias_[biasAt + j]);
        if (p[j] > max) max = p[j];
      }
      let total = 0;
      for (let j = begin; j < end; j++) total += p[j] = Math.exp(p[j] - max);
      sums.fill(0);
      for (let j = begin; j < end; j++) {
        for (let i = 0; i < width; i++) sums[i] += p[j] * v_[from + j * width + i];
      }
      const isEmpty = begin === end;
      for (let i = 0; i < width; i++) o_[query * width + i] = isEmpty ? 0 : sums[i] / total;
      statistics_.set(isEmpty ? [0, 0] : [max, 1 / total], query * 2);
    }
  }
}
