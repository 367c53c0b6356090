/**
 * Nemotron-4 (arXiv 2402.16819 §2.1, 2406.11704 §2.1): LayerNorm1P with biases, attention of which half the channels turn, a
 * squared-ReLU network without a gate, untied. Norm and rotary share are those of NVIDIA's code (NeMo's `nemotron.py`). Names and sizes
 * are those of Hugging Face's `NemotronForCausalLM`.
 */
import { attentionOf } from '../blocks/attention.ts';
import { feedForward } from '../blocks/feed_forward.ts';
import { layerNorm1pOf } from '../blocks/norms.ts';
import { refuseUnequal } from '../hugging_face/codec.ts';
import { readDecoder, readSizes, writeDecoder, writeSizes } from '../hugging_face/decoder_config.ts';
import type { HfConfig } from '../hugging_face/hf_config.ts';
import { makersWith } from '../parameter.ts';
import type { OwnFamily } from './family.ts';
import { dense } from './transformer.ts';

export const nemotron: OwnFamily = {
  sublayers: (config) => ({
    mixer: attentionOf(config),
    feedForward: feedForward({ act: config.hidden_act ?? 'relu2', isBiased: config.mlp_bias }),
  }),
  build: dense((config) => ({
    norm: layerNorm1pOf(config.rms_norm_eps),
    make: makersWith(config.initializer_range),
  })),
  huggingFace: {
    modelTypes: ['nemotron'],
    className: 'NemotronForCausalLM',
    read: (config) => ({
      model: {
        architecture: 'nemotron',
        ...readSizes(config, false),
        ...readDecoder(config, { act: 'relu2', theta: 10_000 }),
        rms_norm_eps: config.number('norm_eps', 1e-5),
        mlp_bias: config.flag('mlp_bias', false),
        partial_rotary_factor: rotaryShare(config),
      },
    }),
    write: (config, { model }) => {
      refuseUnequal('nemotron', config, { sliding_window: null, qk_norm: 'none' });
      return {
        ...writeSizes(config),
        ...writeDecoder('nemotron', config, model),
        norm_eps: config.rms_norm_eps,
        partial_rotary_factor: config.partial_rotary_factor,
        attention_bias: config.attention_bias,
        mlp_bias: config.mlp_bias,
      };
    },
  },
};

/** Under one of the names that it has had; version 5 has it beside theta. */
function rotaryShare(config: HfConfig): number {
  const block = config.below('rope_parameters');
  if (block?.has('partial_rotary_factor') === true) return block.number('partial_rotary_factor');
  const key = ['partial_rotary_factor', 'rope_percent', 'rope_percentage'].find((name) => config.has(name));
  return key === undefined ? 0.5 : config.number(key);
}
