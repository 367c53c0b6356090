/**
 * The sizes of a model that its arithmetic needs, free of architecture names, so that one set of formulas counts every
 * decoder-only model, dense or sparse. What a sublayer costs is given: by a closed formula here for attention and
 * feed-forward networks, by measurement for others.
 */
import { moeLayersOf } from './mesh.ts';
import type { Topology } from './schema.ts';

/** What one sublayer takes. */
export interface SublayerCost {
  readonly parameters: number;
  /** Of the forward pass of one token, a multiply-add counted as two. */
  readonly flopsPerToken: number;
}

export interface ModelSizes {
  readonly layers: number;
  readonly hidden: number;
  readonly vocabulary: number;
  readonly moeLayers: readonly number[];
  readonly experts: number;
  readonly topK: number;
  /** What mixes the tokens of a sequence: one a layer. */
  readonly mixer: SublayerCost;
  /** One feed-forward network, dense or expert. */
  readonly feedForward: SublayerCost;
}

/** What the sublayers of a model cost where they are not the usual ones. */
export type MeasuredCosts = Partial<Pick<ModelSizes, 'mixer' | 'feedForward'>>;

/** Sizes of a topology's model, with the vocabulary of its tokenizer. */
export function modelSizesOf(topology: Topology, vocabulary: number, measured: MeasuredCosts = {}): ModelSizes {
  const { model, moe, training } = topology;
  const { hidden_size: hidden, num_attention_heads: heads } = model;
  return {
    layers: model.num_hidden_layers,
    hidden,
    vocabulary,
    moeLayers: moeLayersOf(topology),
    experts: moe?.num_experts ?? 0,
    topK: moe?.top_k ?? 0,
    mixer: attentionCost({ hidden, heads, keyValueHeads: heads, headDim: hidden / heads }, training.sequence_length),
    feedForward: feedForwardCost(hidden, model.intermediate_size, 2),
    ...measured,
  };
}

export interface AttentionSizes {
  readonly hidden: number;
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly headDim: number;
}

/** One layer's attention: queries, keys, values and output without biases; scores in full, without causal halving. */
export function attentionCost(sizes: AttentionSizes, sequenceLength: number): SublayerCost {
  const parameters = 2 * sizes.hidden * sizes.headDim * (sizes.heads + sizes.keyValueHeads);
  return { parameters, flopsPerToken: 2 * parameters + 4 * sequenceLength * sizes.heads * sizes.headDim };
}

/** One feed-forward network without biases, of 2 matrices (ReLU) or 3 (gated). */
export function feedForwardCost(hidden: number, intermediate: number, matrices: 2 | 3): SublayerCost {
  const parameters = matrices * hidden * intermediate;
  return { parameters, flopsPerToken: 2 * parameters };
}
