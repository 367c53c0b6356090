/**
 * The decoder-only model and its sparse form, which differ in one thing: whether a layer's feed-forward network runs here
 * or in the experts. Pre-RMSNorm, untied head; what a layer is made of is given. Shape suffixes: see `model.ts`.
 */
import * as ops from '../kernels/ops/index.ts';
import { add } from '../kernels/ops/add.ts';
import { embedding } from '../kernels/ops/embedding.ts';
import { gatherRows } from '../kernels/ops/gather_rows.ts';
import { linearCrossEntropy } from '../kernels/ops/linear_cross_entropy.ts';
import { rmsNorm } from '../kernels/ops/rms_norm.ts';
import { f32, i32, trace, weight, type InputSpec, type Values } from '../kernels/trace.ts';
import { linear } from './linear.ts';
import { mixtureOf } from './mixture.ts';
import { isSparse, type Model, type ModelShape, type Step, type Weights } from './model.ts';
import { matrix, scale } from './parameter.ts';
import type { Sublayers } from './sublayer.ts';
import { traceLayer } from './trace_layer.ts';
import { usualSublayers } from './usual_sublayers.ts';
import { specsOf, weightsOf, weightsUnder } from './weights_of.ts';

/** The model for microbatches of `batch` sequences of `sequence` tokens. */
export function buildModel(shape: ModelShape, batch: number, sequence: number, sublayers = usualSublayers): Model {
  const programs = tracePrograms(shape, batch, sequence, sublayers);
  const layers = Array.from({ length: shape.layers }, (_, layer): Step[] => {
    const weights = mixerWeights(shape, sublayers, layer);
    if (!isSparse(shape, layer)) {
      const all = { ...weights, ...ffnWeights(shape, sublayers, layer) };
      return [{ kind: 'block', layer, program: programs.dense, weights: all }];
    }
    return [
      { kind: 'block', layer, program: programs.sparse, weights },
      { kind: 'exchange', layer },
      { kind: 'merge', layer, program: programs.merge, weights: {} },
    ];
  });
  const { hidden: D, vocabulary: V } = shape;
  const head: Weights = { norm_D: scale('model.norm.weight', D), head_VD: matrix('lm_head.weight', V, D) };
  const embed: Weights = { table_VD: matrix('model.embed_tokens.weight', V, D) };
  return {
    batch,
    sequence,
    steps: [
      { kind: 'embed', layer: 0, program: programs.embed, weights: embed },
      ...layers.flat(),
      { kind: 'head', layer: shape.layers - 1, program: programs.head, weights: head },
    ],
    logits: { kind: 'head', layer: shape.layers - 1, program: programs.logits, weights: head },
    mixture: shape.mixture === null ? null : mixtureOf(shape, shape.mixture, batch * sequence, sublayers.feedForward),
  };
}

function tracePrograms(shape: ModelShape, B: number, T: number, sublayers: Sublayers) {
  const { hidden: D, vocabulary: V, normEps: eps } = shape;
  const R = B * T;
  const x_RD = f32([R, D]);
  const { mixer, feedForward } = sublayers;
  const mixerSpecs: Record<string, InputSpec> = { x_RD, ...specsOf(mixerWeights(shape, sublayers, 0)) };
  const mix = (w: Values<string>) => {
    const h_RD = rmsNorm(w.x_RD, w.norm1_D, eps);
    return add(w.x_RD, mixer.apply(h_RD, weightsUnder('mixer', w), { ...shape, batch: B, sequence: T }, ops));
  };
  const dense = (w: Values<string>) => {
    const x_RD = mix(w);
    const h_RD = rmsNorm(x_RD, w.norm2_D, eps);
    return { y_RD: add(x_RD, feedForward.apply(h_RD, weightsUnder('ffn', w), shape, ops)) };
  };
  const sparse = (w: Values<string>) => {
    const y_RD = mix(w);
    return { y_RD, h_RD: rmsNorm(y_RD, w.norm2_D, eps) };
  };
  return {
    embed: trace('embed', { tokens_R: i32([R]), table_VD: weight([V, D]) }, ({ tokens_R, table_VD }) => ({
      y_RD: embedding(table_VD, tokens_R),
    })),
    dense: traceLayer('dense_block', { ...mixerSpecs, ...specsOf(ffnWeights(shape, sublayers, 0)) }, dense, shape),
    sparse: traceLayer('sparse_block', mixerSpecs, sparse, shape),
    merge: trace('merge', { x_RD, moe_RD: f32([R, D]) }, (w) => ({ y_RD: add(w.x_RD, w.moe_RD) })),
    head: trace('head', { x_RD, targets_R: i32([R]), norm_D: weight([D]), head_VD: weight([V, D]) }, (w) => ({
      losses_R: linearCrossEntropy(rmsNorm(w.x_RD, w.norm_D, eps), w.head_VD, w.targets_R),
    })),
    // One row runs as two: a matmul of a single row has other bits.
    logits: trace('logits', { x_RD, position_2: i32([2]), norm_D: weight([D]), head_VD: weight([V, D]) }, (w) => ({
      logits_2V: linear(rmsNorm(gatherRows(w.x_RD, w.position_2), w.norm_D, eps), w.head_VD),
    })),
  };
}

function mixerWeights(shape: ModelShape, { mixer }: Sublayers, layer: number): Weights {
  const at = `model.layers.${layer}`;
  return {
    norm1_D: scale(`${at}.input_layernorm.weight`, shape.hidden),
    ...weightsOf(mixer, shape, 'mixer', at),
    norm2_D: scale(`${at}.post_attention_layernorm.weight`, shape.hidden),
  };
}

const ffnWeights = (shape: ModelShape, { feedForward }: Sublayers, layer: number): Weights =>
  weightsOf(feedForward, shape, 'ffn', `model.layers.${layer}.mlp`);
