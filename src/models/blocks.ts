/**
 * The sublayers of a pre-norm decoder block, as plain functions of values. Shape suffixes: see `model.ts`.
 */
import type { Value } from '../kernels/graph.ts';
import { causalAttention } from '../kernels/ops/causal_attention.ts';
import { matmul } from '../kernels/ops/matmul.ts';
import { relu } from '../kernels/ops/relu.ts';
import { reshape } from '../kernels/ops/reshape.ts';
import { rope } from '../kernels/ops/rope.ts';
import { transpose } from '../kernels/ops/transpose.ts';

export interface AttentionShape {
  readonly batch: number;
  readonly sequence: number;
  readonly heads: number;
  readonly ropeTheta: number;
}

/** y = x Wᵀ, W stored [out, in]. */
export const linear = (x: Value, w: Value): Value => matmul(x, w, { transposeB: true });

/**
 * Causal multi-head self-attention with rotary positions (papers.md §1.2, §1.3): h_RD → y_RD.
 */
export function attention(
  h_RD: Value,
  { q_DD, k_DD, v_DD, o_DD }: Readonly<Record<'q_DD' | 'k_DD' | 'v_DD' | 'o_DD', Value>>,
  { batch: B, sequence: T, heads: H, ropeTheta }: AttentionShape,
): Value {
  const D = Number(h_RD.type.shape[1]);
  const heads = (x_RD: Value): Value => transpose(reshape(x_RD, [B, T, H, D / H]), [0, 2, 1, 3]);
  const q_BHTd = rope(heads(linear(h_RD, q_DD)), ropeTheta);
  const k_BHTd = rope(heads(linear(h_RD, k_DD)), ropeTheta);
  const v_BHTd = heads(linear(h_RD, v_DD));
  const o_BHTd = causalAttention(q_BHTd, k_BHTd, v_BHTd);
  return linear(reshape(transpose(o_BHTd, [0, 2, 1, 3]), [B * T, D]), o_DD);
}

/** ReLU feed-forward network without biases (papers.md §1.4): relu(h Wupᵀ) Wdownᵀ. */
export function feedForward(h_RD: Value, { up_FD, down_DF }: Readonly<Record<'up_FD' | 'down_DF', Value>>): Value {
  return linear(relu(linear(h_RD, up_FD)), down_DF);
}
