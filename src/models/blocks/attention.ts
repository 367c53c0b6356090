/**
 * Causal self-attention with rotary positions (arXiv 1706.03762, 2104.09864), under the names of Hugging Face: as many heads as one
 * likes of any width, keys and values shared by groups of them (arXiv 2305.13245), a window (arXiv 2310.06825), biases, a part of
 * the channels turned. A rotated product depends on how far query and key are apart only, so that positions need not begin anew
 * with each sample of a sequence. Shape suffixes: see `model.ts`; K heads of keys and values.
 */
import type { Value } from '../../kernels/graph.ts';
import { attention as attend } from '../../kernels/ops/attention.ts';
import { mul } from '../../kernels/ops/mul.ts';
import { reduceSum } from '../../kernels/ops/reduce_sum.ts';
import { reshape } from '../../kernels/ops/reshape.ts';
import { rmsNorm } from '../../kernels/ops/rms_norm.ts';
import { rope, type RopeOptions } from '../../kernels/ops/rope.ts';
import { sqrt } from '../../kernels/ops/sqrt.ts';
import { transpose } from '../../kernels/ops/transpose.ts';
import type { ModelConfig } from '../config.ts';
import type { Mixer } from '../sublayer.ts';
import { linear } from './linear.ts';

export interface AttentionOptions {
  readonly heads: number;
  /** Heads of keys and values; a divisor of `heads`. */
  readonly kvHeads: number;
  readonly headDim: number;
  readonly rope: Pick<RopeOptions, 'theta' | 'share' | 'scaling'>;
  readonly isBiased: boolean;
  /** RMSNorm of queries and keys before they turn: of each head by itself, or of all heads of a token together. */
  readonly norm: { readonly of: 'heads' | 'rows'; readonly eps: number } | null;
  /** Keys that a query sees, its own the last of them; null: all before it. */
  readonly window: number | null;
}

/** The attention of a config. */
export const attentionOf = (config: ModelConfig): Mixer =>
  attentionWith({
    heads: config.num_attention_heads,
    kvHeads: config.num_key_value_heads,
    headDim: config.head_dim,
    rope: {
      theta: config.rope_theta,
      share: config.partial_rotary_factor,
      scaling: config.rope_scaling ?? undefined,
    },
    isBiased: config.attention_bias,
    norm: config.qk_norm === 'none' ? null : { of: config.qk_norm, eps: config.rms_norm_eps },
    window: config.sliding_window,
  });

export function attentionWith(options: AttentionOptions): Mixer {
  const { heads: H, kvHeads: K, headDim: d, rope: turning, isBiased, norm, window } = options;
  const widthOf = (count: number): number => (norm?.of === 'rows' ? count * d : d);
  return {
    weights: ({ hidden: D }, { matrix, scale, bias }) => ({
      q_ED: matrix('self_attn.q_proj.weight', H * d, D),
      k_ED: matrix('self_attn.k_proj.weight', K * d, D),
      v_ED: matrix('self_attn.v_proj.weight', K * d, D),
      o_DE: matrix('self_attn.o_proj.weight', D, H * d),
      ...(isBiased
        ? {
            q_bias_E: bias('self_attn.q_proj.bias', H * d),
            k_bias_E: bias('self_attn.k_proj.bias', K * d),
            v_bias_E: bias('self_attn.v_proj.bias', K * d),
            o_bias_D: bias('self_attn.o_proj.bias', D),
          }
        : {}),
      ...(norm === null
        ? {}
        : {
            q_norm_E: scale('self_attn.q_norm.weight', widthOf(H)),
            k_norm_E: scale('self_attn.k_norm.weight', widthOf(K)),
          }),
    }),
    apply: (h_RD, w, { batch: B, sequence: T, begins_R }, _ops, tap) => {
      const inHeads = (x_RE: Value, count: number): Value => transpose(reshape(x_RE, [B, T, count, d]), [0, 2, 1, 3]);
      const normed = (x_RE: Value, scale_E: Value, count: number): Value =>
        norm === null
          ? x_RE
          : reshape(rmsNorm(reshape(x_RE, [(B * T * count * d) / widthOf(count), widthOf(count)]), scale_E, norm.eps), [
              B * T,
              count * d,
            ]);
      const q = rope(inHeads(normed(linear(h_RD, w.q_ED, w.q_bias_E), w.q_norm_E, H), H), turning);
      const k = rope(inHeads(normed(linear(h_RD, w.k_ED, w.k_bias_E), w.k_norm_E, K), K), turning);
      const v = inHeads(linear(h_RD, w.v_ED, w.v_bias_E), K);
      const o_BHTd = attend({ q, k, v, begins: begins_R }, { causal: true, window: window ?? undefined });
      // The length of each head's output.
      tap?.('heads', () => reshape(transpose(sqrt(reduceSum(mul(o_BHTd, o_BHTd), [-1])), [0, 2, 1]), [B * T, H]));
      return linear(reshape(transpose(o_BHTd, [0, 2, 1, 3]), [B * T, H * d]), w.o_DE, w.o_bias_D);
    },
  };
}
