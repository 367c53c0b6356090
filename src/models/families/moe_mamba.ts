/**
 * MoE-Mamba (arXiv 2401.04081) and hybrids of one's own: each layer is what a pattern says, a Mamba block, attention, a network, a
 * mixture, or two of them beside each other; interleaved Mamba and Switch layers unless told otherwise. As in the authors' code
 * norms are LayerNorm, there is none before the head, experts are ReLU networks, attention has rotary positions and Mamba none.
 */
import { attentionOf } from '../blocks/attention.ts';
import { decoder } from '../blocks/decoder.ts';
import { feedForward } from '../blocks/feed_forward.ts';
import { innerLayer } from '../blocks/inner_mamba.ts';
import { mambaWith } from '../blocks/mamba.ts';
import { noNorm } from '../blocks/norms.ts';
import { layerShape } from '../config.ts';
import { layerPatternOf } from '../layer_pattern.ts';
import { ownConfig } from '../hugging_face/own_config.ts';
import { makersWith } from '../parameter.ts';
import { oncePer } from '../traced_block.ts';
import { patternLayer } from '../blocks/pattern_layer.ts';
import type { OwnFamily } from './family.ts';
import { names } from './mamba.ts';

export const moeMamba: OwnFamily = {
  sublayers: (config) => ({
    mixer: mambaWith({ ...config.mamba, residualScale: 1 }),
    feedForward: feedForward({
      act: config.hidden_act ?? 'relu',
      isGated: config.is_gated_act,
      isBiased: config.mlp_bias,
      names: { gate: 'wg', up: 'wi', down: 'wo' },
    }),
  }),
  build: ({ config, settings, sublayers }) => {
    const make = makersWith(config.initializer_range);
    const ofWidth = oncePer((ffn: number) => {
      const parts = { config, shape: { ...layerShape(config, 0), ffn }, settings, make };
      const mixers = { mamba: sublayers.mixer, attention: attentionOf(config) };
      return {
        blocks: patternLayer({ ...parts, mixers, feedForward: sublayers.feedForward }),
        inner: innerLayer(parts),
      };
    });
    return decoder(
      config,
      settings,
      (layer, index, x_RD) => {
        const { blocks, inner } = ofWidth(config.intermediate_size[index]);
        const pattern = layerPatternOf(config.layers![index]);
        return pattern.kind === 'inner'
          ? inner(layer, index, x_RD, pattern.mixtures)
          : blocks(layer, index, x_RD, pattern.blocks);
      },
      { norm: noNorm, make, names },
    );
  },
  huggingFace: ownConfig('moe_mamba'),
};
