/**
 * The Switch Transformer as a decoder (arXiv 2101.03961): the dense decoder, with a mixture of experts in the place of some
 * feed-forward networks. The rows of such a layer are handed to its router, and what comes back joins the residual stream.
 */
import { decoder } from '../blocks/decoder.ts';
import { denseBlock, mergeBlock, sharedBlock, sparseBlock } from '../blocks/decoder_layer.ts';
import { mixtureBlock } from '../blocks/mixture.ts';
import { layerShape } from '../config.ts';
import { ownConfig } from '../hugging_face/own_config.ts';
import { makersWith } from '../parameter.ts';
import { oncePer } from '../traced_block.ts';
import type { Family, OwnFamily } from './family.ts';
import { usualSublayers } from './transformer.ts';

export const switchTransformer: OwnFamily = {
  sublayers: usualSublayers,
  build: sparse({ part: 'mlp', router: 'router' }),
  huggingFace: ownConfig('switch'),
};

/** What a family calls its mixtures: the part of a layer, and their router. */
export interface MixtureNames {
  readonly part: string;
  readonly router: string;
}

/** Builds decoders of which some layers have a mixture. */
export function sparse({ part, router }: MixtureNames): Family {
  return ({ config, settings, sublayers }) => {
    const moe = config.moe!;
    const make = makersWith(config.initializer_range);
    const shape = layerShape(config, 0);
    const parts = { shape, settings, sublayers, make };
    const dense = oncePer((ffn: number) => denseBlock({ ...parts, shape: { ...shape, ffn } }));
    const mixture = oncePer((ffn: number) =>
      mixtureBlock({
        shape: { ...shape, ffn },
        moe,
        settings,
        feedForward: sublayers.feedForward,
        make,
        router,
      }),
    );
    const mixed = sparseBlock(parts);
    const shared = oncePer((ffn: number) =>
      sharedBlock({ ...parts, shape: { ...shape, ffn } }, moe.num_shared_experts),
    );
    const merge = mergeBlock({ shape, settings });
    return decoder(
      config,
      settings,
      (layer, index, x_RD) => {
        const ffn = config.intermediate_size[index];
        if (!moe.layers.includes(index)) return layer.run(dense(ffn), { x_RD }).y_RD;
        const { y_RD, h_RD } = layer.run(mixed, { x_RD });
        const moe_RD = layer.hand(h_RD, (place) => mixture(ffn).at(place, index), part);
        // They run while the rows are away.
        const own_RD = moe.num_shared_experts === 0 ? y_RD : layer.run(shared(ffn), { x_RD: y_RD, h_RD }).y_RD;
        return layer.run(merge, { x_RD: own_RD, moe_RD }).y_RD;
      },
      { make },
    );
  };
}
