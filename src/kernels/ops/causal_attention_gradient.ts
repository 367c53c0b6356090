/**
 * The gradient of `causalAttention`, from q, k, v, o, the statistics and d_o. With P the probabilities, made again from the
 * statistics: dV = Pᵀ dO, dS = P · (dO Vᵀ − rowsum(dO · O)), dQ = scale · dS K, dK = scale · dSᵀ Q. In parts, dK and dV add
 * up over the query blocks in order.
 */
import { requireFloats } from '../check.ts';
import { floats } from '../dtype.ts';
import type { Value } from '../graph.ts';
import { defineOp } from '../op.ts';
import type { Operand } from '../type.ts';
import { attentionGradientParts } from './causal_attention_parts.ts';
import { attentionGradientPasses } from './causal_attention_shader.ts';
import { beginAt, checkBegins } from './causal_begins.ts';

const op = defineOp<undefined>({
  name: 'causal_attention_gradient',
  infer: (types) => {
    const [q, , , , , , begins] = types;
    requireFloats('causal_attention_gradient', types.slice(0, 6));
    checkBegins('causal_attention_gradient', begins, q.shape[0], q.shape[2]);
    return types.slice(0, 3);
  },
  reference: (inputs, outputs) => differentiate(inputs, outputs),
  decompose: attentionGradientParts,
  wgsl: attentionGradientPasses,
});

/**
 * dq, dk, dv of q, k, v, o, `statistics` [B, H, T, 2], dO [B, H, T, d] and begins, where there are some; other shapes as in
 * `causalAttention`.
 */
export function causalAttentionGradient(inputs: readonly Value[]): readonly Value[] {
  return op(inputs, undefined);
}

function differentiate(inputs: readonly Operand[], outputs: readonly Operand[]): void {
  const [q_, k_, v_, o_, statistics_, c_] = inputs.slice(0, 6).map((x) => floats('causal_attention_gradient', x.data));
  const [dq_, dk_, dv_] = outputs.map((x) => floats('causal_attention_gradient', x.data));
  const [q, k, , , , , begins] = inputs;
  const [batch, heads, tokens, width] = q.shape;
  const share = heads / k.shape[1];
  const scale = width ** -0.5;
  for (const out of [dq_, dk_, dv_]) out.fill(0);
  for (let s = 0; s < batch * heads; s++) {
    const keys = Math.floor(s / share) * tokens * width;
    const sequence = Math.floor(s / heads);
    for (let t = 0; t < tokens; t++) {
      const row = (s * tokens + t) * width;
      const [max, inverse] = statistics_.subarray((s * tokens + t) * 2);
      const pull = dot(c_, row, o_, row, width);
      const begin = beginAt('causal_attention_gradient', begins, sequence * tokens + t, t);
      for (let j = begin; j <= t; j++) {
        const at = keys + j * width;
        const score = scale * dot(q_, row, k_, at, width);
        const probability = Math.exp(score - max) * inverse;
        const dS = scale * probability * (dot(c_, row, v_, at, width) - pull);
        for (let i = 0; i < width; i++) {
          dq_[row + i] += dS * k_[at + i];
          dk_[at + i] += dS * q_[row + i];
          dv_[at + i] += probability * c_[row + i];
        }
      }
    }
  }
}

function dot(a: Float32Array, atA: number, b: Float32Array, atB: number, width: number): number {
  let sum = 0;
  for (let i = 0; i < width; i++) sum += a[atA + i] * b[atB + i];
  return sum;
}
