/**
 * The config of a model: its family and all sizes that its parameters follow from, under Hugging Face's names, as one JSON. A
 * topology file gives one; with a trace's settings beside it a family builds the model.
 */
import type { MoeSection } from '../topology/index.ts';
export interface ModelConfig {
  readonly family: 'transformer' | 'switch';
  readonly vocab_size: number;
  readonly hidden_size: number;
  readonly num_hidden_layers: number;
  readonly num_attention_heads: number;
  /** Inner width of the feed-forward networks of each layer, dense or expert. */
  readonly intermediate_size: readonly number[];
  readonly rope_theta: number;
  readonly rms_norm_eps: number;
  /** Whether the head's matrix is the embedding's. */
  readonly tie_word_embeddings: boolean;
  readonly moe: MixtureConfig | null;
}

/** Keys of the `moe` section that a mixture is not made of: where mixtures are, and what is written down of them. */
export type NoMixtureKey = 'every_n_layers' | 'metrics' | 'record' | 'replay';

/** How a mixture routes, by the names of the topology's `moe` section. */
export type MixtureConfig = Omit<MoeSection, NoMixtureKey> & {
  /** Layers whose feed-forward network is a mixture of experts. */
  readonly layers: readonly number[];
};

/** Whether gradients wait for the load of all microbatches of a step. */
export const balancesSteps = ({ aux_loss: over, aux_loss_coef: weight }: MixtureConfig): boolean =>
  over === 'global' && weight > 0;

/** Sizes of one layer, as what it is made of sees them. */
export interface LayerShape {
  readonly hidden: number;
  readonly heads: number;
  /** Inner width of its feed-forward network. */
  readonly ffn: number;
  readonly ropeTheta: number;
  readonly normEps: number;
}

export const layerShape = (config: ModelConfig, layer: number): LayerShape => ({
  hidden: config.hidden_size,
  heads: config.num_attention_heads,
  ffn: config.intermediate_size[layer],
  ropeTheta: config.rope_theta,
  normEps: config.rms_norm_eps,
});
