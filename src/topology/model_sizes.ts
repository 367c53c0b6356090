/**
 * The sizes of a model that its arithmetic needs, free of architecture names, so that one set of formulas counts every
 * decoder-only transformer, dense or sparse. `modelSizesOf` reads them from a topology.
 */
import { moeLayersOf } from './mesh.ts';
import type { Topology } from './schema.ts';

export interface ModelSizes {
  readonly layers: number;
  readonly hidden: number;
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly headDim: number;
  /** Inner width of one feed-forward network, dense or expert. */
  readonly intermediate: number;
  /** Matrices of a feed-forward network: 2 (ReLU) or 3 (gated). */
  readonly ffnMatrices: 2 | 3;
  readonly vocabulary: number;
  readonly moeLayers: readonly number[];
  readonly experts: number;
  readonly topK: number;
}

/** Sizes of a topology's model, with the vocabulary of its tokenizer. */
export function modelSizesOf(topology: Topology, vocabulary: number): ModelSizes {
  const { model, moe } = topology;
  return {
    layers: model.num_hidden_layers,
    hidden: model.hidden_size,
    heads: model.num_attention_heads,
    keyValueHeads: model.num_attention_heads,
    headDim: model.hidden_size / model.num_attention_heads,
    intermediate: model.intermediate_size,
    ffnMatrices: 2,
    vocabulary,
    moeLayers: moeLayersOf(topology),
    experts: moe?.num_experts ?? 0,
    topK: moe?.top_k ?? 0,
  };
}

/** Parameters of one layer's attention: queries, keys, values and output, no biases. */
export const attentionParameters = (sizes: ModelSizes): number =>
  2 * sizes.hidden * sizes.headDim * (sizes.heads + sizes.keyValueHeads);

/** Parameters of one feed-forward network, dense or expert. */
export const ffnParameters = (sizes: ModelSizes): number => sizes.ffnMatrices * sizes.hidden * sizes.intermediate;
