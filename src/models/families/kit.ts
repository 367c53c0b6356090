/** A family is written with this kit: the builder of layers, the blocks there are, and what others are made of. */
export * as ops from '../../kernels/ops/index.ts';
export { f32, i32, type InputSpec, type Values } from '../../kernels/trace.ts';
export { decoder } from '../blocks/decoder.ts';
export { denseBlock, mergeBlock, sharedBlock, sparseBlock } from '../blocks/decoder_layer.ts';
export { linear } from '../blocks/linear.ts';
export { mixtureBlock } from '../blocks/mixture.ts';
export { layerShape } from '../config.ts';
export * as inits from '../init.ts';
export { LayerBuilder } from '../layer_builder.ts';
export { matrix, scale } from '../parameter.ts';
export { segmentReads } from '../segments.ts';
export { tapsOf } from '../taps.ts';
export { oncePer, tracedBlock } from '../traced_block.ts';
export { weightsOf, weightsUnder } from '../weights_of.ts';
