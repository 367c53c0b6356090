/**
 * Llama (arXiv 2302.13971, 2407.21783), and whatever has its shape, Mistral and the students of Minitron among it: RMSNorm, rotary
 * attention with shared keys and values, a SwiGLU network. Names and sizes are those of Hugging Face's `LlamaForCausalLM`.
 */
import { attentionOf } from '../blocks/attention.ts';
import { feedForward } from '../blocks/feed_forward.ts';
import { refuseUnequal } from '../hugging_face/codec.ts';
import { readDecoder, readSizes, readWindow, writeDecoder, writeSizes } from '../hugging_face/decoder_config.ts';
import { makersWith } from '../parameter.ts';
import type { OwnFamily } from './family.ts';
import { dense } from './transformer.ts';

export const llama: OwnFamily = {
  sublayers: (config) => ({
    mixer: attentionOf(config),
    feedForward: feedForward({ act: config.hidden_act ?? 'silu', isGated: true, isBiased: config.mlp_bias }),
  }),
  build: dense((config) => ({ make: makersWith(config.initializer_range) })),
  huggingFace: {
    modelTypes: ['llama', 'mistral'],
    className: 'LlamaForCausalLM',
    read: (config) => ({
      model: {
        architecture: 'llama',
        ...readSizes(config, false),
        ...readDecoder(config, { act: 'silu', theta: 10_000 }),
        rms_norm_eps: config.number('rms_norm_eps', 1e-6),
        mlp_bias: config.flag('mlp_bias', false),
        ...readWindow(config),
      },
    }),
    write: (config, { model }) => {
      refuseUnequal('llama', config, { partial_rotary_factor: 1, qk_norm: 'none' });
      const keys = {
        ...writeSizes(config),
        ...writeDecoder('llama', config, model),
        rms_norm_eps: config.rms_norm_eps,
      };
      // A window is Mistral's, which has no biases.
      if (config.sliding_window === null) {
        return { ...keys, model_type: 'llama', attention_bias: config.attention_bias, mlp_bias: config.mlp_bias };
      }
      refuseUnequal('mistral', config, { attention_bias: false, mlp_bias: false });
      const { sliding_window } = config;
      return { ...keys, model_type: 'mistral', architectures: ['MistralForCausalLM'], sliding_window };
    },
  },
};
