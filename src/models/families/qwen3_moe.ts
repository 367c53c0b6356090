/**
 * Qwen3-MoE (arXiv 2505.09388 §2): Llama's layers with RMSNorm of each query and key, and 8 of 128 small SwiGLU experts in every layer,
 * or in every n-th beside dense ones of another width. Names and sizes are those of Hugging Face's `Qwen3MoeForCausalLM`.
 */
import { attentionOf } from '../blocks/attention.ts';
import { feedForward } from '../blocks/feed_forward.ts';
import { NoHfConfig, refuseRouting, refuseUnequal } from '../hugging_face/codec.ts';
import { readDecoder, readSizes, writeAttention, writeSizes } from '../hugging_face/decoder_config.ts';
import type { HfConfig } from '../hugging_face/hf_config.ts';
import type { Keys } from '../hugging_face/keys.ts';
import { readSmallExperts, usualRouting, writeSmallExperts } from '../hugging_face/small_experts.ts';
import type { ModelConfig } from '../config.ts';
import type { OwnFamily } from './family.ts';
import { sparse } from './switch.ts';

export const qwen3Moe: OwnFamily = {
  sublayers: (config) => ({
    mixer: attentionOf(config),
    feedForward: feedForward({ act: config.hidden_act ?? 'silu', isGated: true }),
  }),
  build: sparse({ part: 'mlp', router: 'gate' }),
  huggingFace: {
    modelTypes: ['qwen3_moe'],
    className: 'Qwen3MoeForCausalLM',
    read: (config) => {
      const step = config.whole('decoder_sparse_step', 1);
      return {
        model: {
          architecture: 'qwen3_moe',
          ...readSizes(config, false),
          ...readDecoder(config, { act: 'silu', theta: 10_000 }),
          ...(config.has('head_dim') ? {} : { head_dim: 128 }),
          intermediate_size: readWidths(config, step),
          rms_norm_eps: config.number('rms_norm_eps', 1e-6),
        },
        moe: {
          ...readSmallExperts(config, { experts: 128, choices: 8, isNormed: false, coefficient: 0.001 }),
          every_n_layers: step,
        },
      };
    },
    write: (config, { model, moe: section }) => {
      const moe = config.moe!;
      refuseUnequal('qwen3_moe', config, { partial_rotary_factor: 1, sliding_window: null, qk_norm: 'heads' });
      refuseRouting('qwen3_moe', moe, usualRouting);
      return {
        ...writeSizes(config),
        ...writeAttention(config, model),
        ...writeWidths(config),
        rms_norm_eps: config.rms_norm_eps,
        attention_bias: config.attention_bias,
        decoder_sparse_step: section!.every_n_layers,
        mlp_only_layers: [],
        use_sliding_window: false,
        ...writeSmallExperts(moe),
      };
    },
  },
};

/** Of each layer: that of its experts, or of its network. */
function readWidths(config: HfConfig, step: number): number[] {
  const only = config.raw('mlp_only_layers') ?? [];
  if (!Array.isArray(only) || only.length > 0) {
    config.refuse(
      'mlp_only_layers',
      'which layers are dense follows from decoder_sparse_step here; only an empty list is read',
    );
  }
  if (config.flag('use_sliding_window', false)) config.refuse('use_sliding_window', 'only false is read');
  const [dense, expert] = [config.whole('intermediate_size'), config.whole('moe_intermediate_size')];
  return Array.from({ length: config.whole('num_hidden_layers') }, (_, layer) =>
    (layer + 1) % step === 0 ? expert : dense,
  );
}

function writeWidths({ intermediate_size: widths, moe }: ModelConfig): Keys {
  const [experts, dense] = [true, false].map((isSparse) => [
    ...new Set(widths.filter((_, layer) => moe!.layers.includes(layer) === isSparse)),
  ]);
  if (experts.length > 1 || dense.length > 1) {
    throw new NoHfConfig('qwen3_moe', 'model.intermediate_size', widths, [dense[0] ?? experts[0], experts[0]]);
  }
  return { moe_intermediate_size: experts[0], intermediate_size: dense[0] ?? experts[0] };
}
