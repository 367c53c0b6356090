/**
 * The decoder-only Transformer and its Switch form, which differ in one thing: whether a layer's feed-forward network
 * runs here or in the experts. Pre-RMSNorm, rotary positions, ReLU, no biases, untied head. Shape suffixes: see
 * `model.ts`.
 */
import { add } from '../kernels/ops/add.ts';
import { embedding } from '../kernels/ops/embedding.ts';
import { gatherRows } from '../kernels/ops/gather_rows.ts';
import { linearCrossEntropy } from '../kernels/ops/linear_cross_entropy.ts';
import { rmsNorm } from '../kernels/ops/rms_norm.ts';
import { f32, i32, trace, weight } from '../kernels/trace.ts';
import { attention, feedForward, linear } from './blocks.ts';
import { mixtureOf } from './mixture.ts';
import { isSparse, type Model, type ModelShape, type Step, type Weights } from './model.ts';
import { matrix, scale } from './parameter.ts';

/** The model for microbatches of `batch` sequences of `sequence` tokens. */
export function buildModel(shape: ModelShape, batch: number, sequence: number): Model {
  const programs = tracePrograms(shape, batch, sequence);
  const layers = Array.from({ length: shape.layers }, (_, layer): Step[] => {
    const weights = attentionWeights(shape, layer);
    if (!isSparse(shape, layer)) {
      return [{ kind: 'block', layer, program: programs.dense, weights: { ...weights, ...ffnWeights(shape, layer) } }];
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
    mixture: shape.mixture === null ? null : mixtureOf(shape, shape.mixture, batch * sequence),
  };
}

function tracePrograms(shape: ModelShape, B: number, T: number) {
  const { hidden: D, ffn: F, vocabulary: V, normEps: eps } = shape;
  const R = B * T;
  const x_RD = f32([R, D]);
  const attentionSpecs = {
    x_RD,
    norm1_D: weight([D]),
    q_DD: weight([D, D]),
    k_DD: weight([D, D]),
    v_DD: weight([D, D]),
    o_DD: weight([D, D]),
    norm2_D: weight([D]),
  };
  const shapeOfAttention = { batch: B, sequence: T, heads: shape.heads, ropeTheta: shape.ropeTheta };
  return {
    embed: trace('embed', { tokens_R: i32([R]), table_VD: weight([V, D]) }, ({ tokens_R, table_VD }) => ({
      y_RD: embedding(table_VD, tokens_R),
    })),
    dense: trace('dense_block', { ...attentionSpecs, up_FD: weight([F, D]), down_DF: weight([D, F]) }, (w) => {
      const x_RD = add(w.x_RD, attention(rmsNorm(w.x_RD, w.norm1_D, eps), w, shapeOfAttention));
      return { y_RD: add(x_RD, feedForward(rmsNorm(x_RD, w.norm2_D, eps), w)) };
    }),
    sparse: trace('sparse_block', attentionSpecs, (w) => {
      const y_RD = add(w.x_RD, attention(rmsNorm(w.x_RD, w.norm1_D, eps), w, shapeOfAttention));
      return { y_RD, h_RD: rmsNorm(y_RD, w.norm2_D, eps) };
    }),
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

function attentionWeights({ hidden: D }: ModelShape, layer: number): Weights {
  const at = `model.layers.${layer}`;
  return {
    norm1_D: scale(`${at}.input_layernorm.weight`, D),
    q_DD: matrix(`${at}.self_attn.q_proj.weight`, D, D),
    k_DD: matrix(`${at}.self_attn.k_proj.weight`, D, D),
    v_DD: matrix(`${at}.self_attn.v_proj.weight`, D, D),
    o_DD: matrix(`${at}.self_attn.o_proj.weight`, D, D),
    norm2_D: scale(`${at}.post_attention_layernorm.weight`, D),
  };
}

function ffnWeights({ hidden: D, ffn: F }: ModelShape, layer: number): Weights {
  const at = `model.layers.${layer}.mlp`;
  return { up_FD: matrix(`${at}.up_proj.weight`, F, D), down_DF: matrix(`${at}.down_proj.weight`, D, F) };
}
