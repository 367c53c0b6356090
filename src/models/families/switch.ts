/**
 * The Switch Transformer as a decoder (arXiv 2101.03961): the dense decoder, with a mixture of experts in the place of some
 * feed-forward networks. The rows of such a layer are handed to its router, and what comes back joins the residual stream.
 */
import { decoder } from '../blocks/decoder.ts';
import { denseBlock, mergeBlock, sharedBlock, sparseBlock } from '../blocks/decoder_layer.ts';
import { mixtureBlock } from '../blocks/mixture.ts';
import { layerShape } from '../config.ts';
import { oncePer } from '../traced_block.ts';
import type { Family } from './family.ts';

export const switchTransformer: Family = ({ config, settings, sublayers }) => {
  const moe = config.moe!;
  const shape = layerShape(config, 0);
  const dense = oncePer((ffn: number) => denseBlock({ shape: { ...shape, ffn }, settings, sublayers }));
  const mixture = oncePer((ffn: number) =>
    mixtureBlock({ shape: { ...shape, ffn }, moe, settings, feedForward: sublayers.feedForward }),
  );
  const sparse = sparseBlock({ shape, settings, sublayers });
  const shared = oncePer((ffn: number) =>
    sharedBlock({ shape: { ...shape, ffn }, settings, sublayers }, moe.num_shared_experts),
  );
  const merge = mergeBlock({ shape, settings });
  return decoder(config, settings, (layer, index, x_RD) => {
    const ffn = config.intermediate_size[index];
    if (!moe.layers.includes(index)) return layer.run(dense(ffn), { x_RD }).y_RD;
    const { y_RD, h_RD } = layer.run(sparse, { x_RD });
    const moe_RD = layer.hand(h_RD, (place) => mixture(ffn).at(place, index));
    // They run while the rows are away.
    const own_RD = moe.num_shared_experts === 0 ? y_RD : layer.run(shared(ffn), { x_RD: y_RD, h_RD }).y_RD;
    return layer.run(merge, { x_RD: own_RD, moe_RD }).y_RD;
  });
};
