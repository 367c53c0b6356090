/**
 * Causal multi-head self-attention with rotary positions and no biases (arXiv 1706.03762, 2104.09864), under the names of
 * Hugging Face. A rotated product depends on how far query and key are apart only, so that positions need not begin anew with
 * each sample of a sequence. Shape suffixes: see `model.ts`.
 */
import type { Value } from '../../kernels/graph.ts';
import { attention as attend } from '../../kernels/ops/attention.ts';
import { mul } from '../../kernels/ops/mul.ts';
import { reduceSum } from '../../kernels/ops/reduce_sum.ts';
import { reshape } from '../../kernels/ops/reshape.ts';
import { rope } from '../../kernels/ops/rope.ts';
import { sqrt } from '../../kernels/ops/sqrt.ts';
import { transpose } from '../../kernels/ops/transpose.ts';
import { linear } from './linear.ts';
import type { Mixer } from '../sublayer.ts';

export const attention: Mixer = {
  weights: ({ hidden: D }, { matrix }) => ({
    q_DD: matrix('self_attn.q_proj.weight', D, D),
    k_DD: matrix('self_attn.k_proj.weight', D, D),
    v_DD: matrix('self_attn.v_proj.weight', D, D),
    o_DD: matrix('self_attn.o_proj.weight', D, D),
  }),
  apply: (h_RD, { q_DD, k_DD, v_DD, o_DD }, shape, _ops, tap) => {
    const { batch: B, sequence: T, heads: H, hidden: D, ropeTheta, begins_R } = shape;
    const heads = (x_RD: Value): Value => transpose(reshape(x_RD, [B, T, H, D / H]), [0, 2, 1, 3]);
    const q_BHTd = rope(heads(linear(h_RD, q_DD)), { theta: ropeTheta });
    const k_BHTd = rope(heads(linear(h_RD, k_DD)), { theta: ropeTheta });
    const v_BHTd = heads(linear(h_RD, v_DD));
    const o_BHTd = attend({ q: q_BHTd, k: k_BHTd, v: v_BHTd, begins: begins_R }, { causal: true });
    // The length of each head's output.
    tap?.('heads', () => reshape(transpose(sqrt(reduceSum(mul(o_BHTd, o_BHTd), [-1])), [0, 2, 1]), [B * T, H]));
    return linear(reshape(transpose(o_BHTd, [0, 2, 1, 3]), [B * T, D]), o_DD);
  },
};
