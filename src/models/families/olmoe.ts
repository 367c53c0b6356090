/**
 * OLMoE (arXiv 2409.02060): Llama's layers with RMSNorm over all queries and all keys of a token, and 8 of 64 small SwiGLU experts in
 * each, whose gates are the softmax's own. Names and sizes are those of Hugging Face's `OlmoeForCausalLM`.
 */
import { attentionOf } from '../blocks/attention.ts';
import { feedForward } from '../blocks/feed_forward.ts';
import { refuseRouting, refuseUnequal } from '../hugging_face/codec.ts';
import { readDecoder, readSizes, writeDecoder, writeSizes } from '../hugging_face/decoder_config.ts';
import { readSmallExperts, usualRouting, writeSmallExperts } from '../hugging_face/small_experts.ts';
import type { OwnFamily } from './family.ts';
import { sparse } from './switch.ts';

export const olmoe: OwnFamily = {
  sublayers: (config) => ({
    mixer: attentionOf(config),
    feedForward: feedForward({ act: config.hidden_act ?? 'silu', isGated: true }),
  }),
  build: sparse({ part: 'mlp', router: 'gate' }),
  huggingFace: {
    modelTypes: ['olmoe'],
    className: 'OlmoeForCausalLM',
    read: (config) => {
      if (config.has('clip_qkv'))
        config.refuse('clip_qkv', 'queries, keys and values are not clipped here; only null is read');
      return {
        model: {
          architecture: 'olmoe',
          ...readSizes(config, false),
          ...readDecoder(config, { act: 'silu', theta: 10_000 }),
          rms_norm_eps: config.number('rms_norm_eps', 1e-5),
        },
        moe: readSmallExperts(config, { experts: 64, choices: 8, isNormed: false, coefficient: 0.01 }),
      };
    },
    write: (config, { model }) => {
      const moe = config.moe!;
      refuseUnequal('olmoe', config, { partial_rotary_factor: 1, sliding_window: null, qk_norm: 'rows' });
      refuseRouting('olmoe', moe, usualRouting);
      return {
        ...writeSizes(config),
        ...writeDecoder('olmoe', config, model),
        rms_norm_eps: config.rms_norm_eps,
        attention_bias: config.attention_bias,
        clip_qkv: null,
        ...writeSmallExperts(moe),
      };
    },
  },
};
