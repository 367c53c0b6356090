/**
 * Feed-forward networks on rows: act(h Wupᵀ) Wdownᵀ (arXiv 1706.03762), or gated, (act(h Wgateᵀ) ⊙ h Wupᵀ) Wdownᵀ (SwiGLU and its
 * kin, arXiv 2002.05202). Squared ReLU is that of arXiv 2109.08668. Shape suffixes: see `model.ts`.
 */
import type { Value } from '../../kernels/graph.ts';
import { gelu } from '../../kernels/ops/gelu.ts';
import { mul } from '../../kernels/ops/mul.ts';
import { relu } from '../../kernels/ops/relu.ts';
import { silu } from '../../kernels/ops/silu.ts';
import type { Activation } from '../config.ts';
import type { FeedForward } from '../sublayer.ts';
import { linear } from './linear.ts';

/** By the names of Hugging Face's configs. */
export const activations: Readonly<Record<Activation, (x: Value) => Value>> = {
  relu,
  relu2: (x) => {
    const positive = relu(x);
    return mul(positive, positive);
  },
  silu,
  gelu,
};

export interface FeedForwardOptions {
  readonly act: Activation;
  /** Default: no gate. */
  readonly isGated?: boolean;
  /** Whether its products have biases; default: none. */
  readonly isBiased?: boolean;
  /** What its parameters are called; default `gate_proj`, `up_proj`, `down_proj`. */
  readonly names?: { readonly gate: string; readonly up: string; readonly down: string };
}

const usualNames = { gate: 'gate_proj', up: 'up_proj', down: 'down_proj' };

export function feedForward(options: FeedForwardOptions): FeedForward {
  const { act, isGated = false, isBiased = false, names = usualNames } = options;
  return {
    weights: ({ hidden: D, ffn: F }, { matrix, bias }) => ({
      ...(isGated ? { gate_FD: matrix(`${names.gate}.weight`, F, D) } : {}),
      up_FD: matrix(`${names.up}.weight`, F, D),
      down_DF: matrix(`${names.down}.weight`, D, F),
      ...(isGated && isBiased ? { gate_bias_F: bias(`${names.gate}.bias`, F) } : {}),
      ...(isBiased ? { up_bias_F: bias(`${names.up}.bias`, F), down_bias_D: bias(`${names.down}.bias`, D) } : {}),
    }),
    apply: (h_RD, w, _shape, _ops, tap) => {
      const up_RF = linear(h_RD, w.up_FD, w.up_bias_F);
      const a_RF = isGated
        ? mul(activations[act](linear(h_RD, w.gate_FD, w.gate_bias_F)), up_RF)
        : activations[act](up_RF);
      tap?.('neurons', () => a_RF);
      return linear(a_RF, w.down_DF, w.down_bias_D);
    },
  };
}
