/**
 * The transformer is the dense decoder: norm first, rotary attention, a feed-forward network in each layer (arXiv 1706.03762). As it
 * is it has RMSNorm and ReLU, and no biases. Other dense families are this one with other norms, networks and beginnings.
 */
import { attentionOf } from '../blocks/attention.ts';
import { decoder, type DecoderEnds } from '../blocks/decoder.ts';
import { denseBlock } from '../blocks/decoder_layer.ts';
import { feedForward } from '../blocks/feed_forward.ts';
import { layerShape, type ModelConfig } from '../config.ts';
import { ownConfig } from '../hugging_face/own_config.ts';
import { makersWith } from '../parameter.ts';
import type { Sublayers } from '../sublayer.ts';
import { oncePer } from '../traced_block.ts';
import type { Family, OwnFamily } from './family.ts';

/** Attention and a network by the keys of a config, which is a ReLU's where they say nothing. */
export const usualSublayers = (config: ModelConfig): Sublayers => ({
  mixer: attentionOf(config),
  feedForward: feedForward({
    act: config.hidden_act ?? 'relu',
    isGated: config.is_gated_act,
    isBiased: config.mlp_bias,
  }),
});

export const transformer: OwnFamily = {
  sublayers: usualSublayers,
  build: dense((config) => ({ make: makersWith(config.initializer_range) })),
  huggingFace: ownConfig('transformer'),
};

/** Builds dense decoders with these norms and makers of parameters. */
export function dense(endsOf: (config: ModelConfig) => DecoderEnds): Family {
  return ({ config, settings, sublayers }) => {
    const ends = endsOf(config);
    const ofWidth = oncePer((ffn: number) =>
      denseBlock({ shape: { ...layerShape(config, 0), ffn }, settings, sublayers, ...ends }),
    );
    return decoder(
      config,
      settings,
      (layer, index, x_RD) => layer.run(ofWidth(config.intermediate_size[index]), { x_RD }).y_RD,
      ends,
    );
  };
}
