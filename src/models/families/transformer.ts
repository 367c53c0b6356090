/** The transformer is the dense decoder: pre-RMSNorm, rotary attention, a ReLU feed-forward network in each layer, no biases. */
import { layerShape } from '../config.ts';
import { decoder } from '../blocks/decoder.ts';
import { denseBlock } from '../blocks/decoder_layer.ts';
import { oncePer } from '../traced_block.ts';
import type { Family } from './family.ts';

export const transformer: Family = ({ config, settings, sublayers }) => {
  const ofWidth = oncePer((ffn: number) =>
    denseBlock({ shape: { ...layerShape(config, 0), ffn }, settings, sublayers }),
  );
  return decoder(
    config,
    settings,
    (layer, index, x_RD) => layer.run(ofWidth(config.intermediate_size[index]), { x_RD }).y_RD,
  );
};
