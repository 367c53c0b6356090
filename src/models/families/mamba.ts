/**
 * Mamba (arXiv 2312.00752) as a language model: an RMSNorm and a Mamba block a layer, and no other; tied, no positions. Names and
 * sizes are those of Hugging Face's `MambaForCausalLM`; initial values those of the authors' code, where the embedding is N(0, 0.02²)
 * and each projection back is divided by the root of the layers.
 */
import { decoder } from '../blocks/decoder.ts';
import { feedForward } from '../blocks/feed_forward.ts';
import { mambaWith } from '../blocks/mamba.ts';
import { rmsNormOf } from '../blocks/norms.ts';
import { residualBlock } from '../blocks/residual_block.ts';
import { layerShape, type ModelConfig } from '../config.ts';
import { readSizes, writeSizes } from '../hugging_face/decoder_config.ts';
import type { HfConfig } from '../hugging_face/hf_config.ts';
import type { Keys } from '../hugging_face/keys.ts';
import { makersWith } from '../parameter.ts';
import type { OwnFamily } from './family.ts';

export const names = { embedding: 'backbone.embeddings', layers: 'backbone.layers', norm: 'backbone.norm_f' };

export const mamba: OwnFamily = {
  sublayers: (config) => ({
    mixer: mambaWith({ ...config.mamba, residualScale: Math.sqrt(config.num_hidden_layers) }),
    // It has none; what a module gives is not used either.
    feedForward: feedForward({ act: 'silu' }),
  }),
  build: ({ config, settings, sublayers: { mixer } }) => {
    const make = makersWith(config.initializer_range);
    const norm = rmsNormOf(config.rms_norm_eps);
    const block = residualBlock(
      { shape: layerShape(config, 0), settings, norm, normName: 'norm', make },
      { kind: 'mixer', sublayer: mixer },
    );
    return decoder(config, settings, (layer, _index, x_RD) => layer.run(block, { x_RD }).y_RD, { norm, make, names });
  },
  huggingFace: {
    modelTypes: ['mamba'],
    className: 'MambaForCausalLM',
    read: (config) => ({
      model: {
        architecture: 'mamba',
        ...readSizes(config, true),
        ...readMamba(config),
        rms_norm_eps: config.number('layer_norm_epsilon', 1e-5),
        // It knows no positions.
        max_position_embeddings: 2 ** 20,
      },
    }),
    write: (config) => ({ ...writeSizes(config), ...writeMamba(config), layer_norm_epsilon: config.rms_norm_eps }),
  },
};

function readMamba(config: HfConfig): Keys {
  const [hidden, expand] = [config.whole('hidden_size'), config.whole('expand', 2)];
  const inner = config.whole('intermediate_size', expand * hidden);
  if (inner !== expand * hidden) {
    config.refuse('intermediate_size', `found ${inner}, needs to be expand ${expand} x hidden_size ${hidden}`);
  }
  config.word('hidden_act', { silu: 'silu', swish: 'silu' }, 'silu');
  return {
    expand,
    state_size: config.whole('state_size', 16),
    conv_kernel: config.whole('conv_kernel', 4),
    time_step_rank: config.raw('time_step_rank') === 'auto' ? Math.ceil(hidden / 16) : config.whole('time_step_rank'),
    use_bias: config.flag('use_bias', false),
    use_conv_bias: config.flag('use_conv_bias', true),
  };
}

const writeMamba = ({ mamba: sizes, hidden_size: hidden }: ModelConfig): Keys => ({
  ...sizes,
  intermediate_size: sizes.expand * hidden,
  hidden_act: 'silu',
  residual_in_fp32: true,
});
