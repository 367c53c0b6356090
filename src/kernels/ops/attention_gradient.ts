/**
 * The gradient of `attention`, from its operands, o, the statistics and d_o. With P the probabilities, made again from the
 * statistics: dV = Pᵀ dO, dS = P · (dO Vᵀ − rowsum(dO · O)), dQ = scale · dS K, dK = scale · dSᵀ Q, and that of the bias is dS,
 * summed over sequences. In parts, dK and dV add up over the query blocks in order.
 */
import { requireFloats } from '../check.ts';
import { floats } from '../dtype.ts';
import type { Value } from '../graph.ts';
import { defineOp } from '../op.ts';
import type { Operand } from '../type.ts';
import { checkExtras } from './attention_extras.ts';
import { gradientOperands, type AttentionForm, type GradientOperands } from './attention_form.ts';
import { attentionGradientPasses } from './attention_gradient_shader.ts';
import { intervalOf } from './attention_mask.ts';
import { attentionGradientParts } from './attention_parts.ts';

const op = defineOp<AttentionForm>({
  name: 'attention_gradient',
  infer: (types, form) => {
    const { q, k, v, extras, o, statistics, dO } = gradientOperands(types, form);
    requireFloats('attention_gradient', [q, k, v, o, statistics, dO]);
    const [batch, heads, queries] = q.shape;
    checkExtras('attention_gradient', extras, { batch, heads, queries, keys: k.shape[2] });
    return [q, k, v, ...(extras.bias === undefined ? [] : [extras.bias])];
  },
  reference: (inputs, outputs, form) => differentiate(gradientOperands(inputs, form), outputs, form),
  decompose: (inputs, form) => attentionGradientParts(gradientOperands(inputs, form), form),
  wgsl: (lowering, inputs, outputs, form) =>
    attentionGradientPasses(lowering, gradientOperands(inputs, form), outputs, form),
});

/**
 * dq, dk, dv, and d_bias where there is one, of q, k, v, what is given beside them, o, `statistics` [B, H, Tq, 2] and dO
 * [B, H, Tq, d]; other shapes as in `attention`.
 */
export function attentionGradient(inputs: readonly Value[], form: AttentionForm): readonly Value[] {
  return op(inputs, form);
}

function differentiate(
  { q, k, v, extras, o, statistics, dO }: GradientOperands<Operand>,
  outputs: readonly Operand[],
  form: AttentionForm,
): void {
  const dataOf = (x: Operand): Float32Array => floats('attention_gradient', x.data);
  const [q_, k_, v_, o_, statistics_, c_] = [q, k, v, o, statistics, dO].map(dataOf);
  const [dq_, dk_, dv_, dBias_] = outputs.map(dataOf);
  const bias_ = extras.bias && dataOf(extras.bias);
  const [batch, heads, queries, width] = q.shape;
  const [, keyHeads, keys] = k.shape;
  for (const out of outputs) dataOf(out).fill(0);
  for (let s = 0; s < batch * heads; s++) {
    const from = Math.floor((s * keyHeads) / heads) * keys * width;
    for (let t = 0; t < queries; t++) {
      const row = (s * queries + t) * width;
      const [max, inverse] = statistics_.subarray((s * queries + t) * 2);
      const pull = dot(c_, row, o_, row, width);
      const index = Math.floor(s / heads) * queries + t;
      const { begin, end } = intervalOf('attention_gradient', form, extras, index, t, keys);
      const biasAt = ((s % heads) * queries + t) * keys;
      for (let j = begin; j < end; j++) {
        const at = from + j * width;
        const score = form.scale * dot(q_, row, k_, at, width) + (bias_ === undefined ? 0 : bias_[biasAt + j]);
        const probability = Math.exp(score - max) * inverse;
        const dP = dot(c_, row, v_, at, width) - pull;
        const dS = form.scale * probability * dP;
        for (let i = 0; i < width; i++) {
          dq_[row + i] += dS * k_[at + i];
          dk_[at + i] += dS * q_[row + i];
          dv_[at + i] += probability * c_[row + i];
        }
        if (bias_ !== undefined) dBias_[biasAt + j] += probability * dP;
      }
    }
  }
}

function dot(a: Float32Array, atA: number, b: Float32Array, atB: number, width: number): number {
  let sum = 0;
  for (let i = 0; i < width; i++) sum += a[atA + i] * b[atB + i];
  return sum;
}
