/**
 * The config of a model: its family and all sizes that its parameters follow from, under Hugging Face's names, as one JSON. A
 * topology file gives one; with a trace's settings beside it a family builds the model. Each family reads what it is made of.
 */
import type { ArchitectureName, ModelSection, MoeSection } from '../topology/index.ts';
import type { RopeScaling } from '../kernels/ops/rope_frequencies.ts';
import type { MambaConfig } from './blocks/mamba_shape.ts';

export interface ModelConfig {
  readonly family: ArchitectureName;
  readonly vocab_size: number;
  readonly hidden_size: number;
  readonly num_hidden_layers: number;
  readonly num_attention_heads: number;
  /** Heads of keys and values, which so many query heads share. */
  readonly num_key_value_heads: number;
  readonly head_dim: number;
  readonly attention_bias: boolean;
  /** RMSNorm of queries and keys: of each head, or of all heads of a token together. */
  readonly qk_norm: 'none' | 'heads' | 'rows';
  /** Keys that a query sees, its own among them; null: all before it. */
  readonly sliding_window: number | null;
  readonly rope_theta: number;
  readonly rope_scaling: RopeScaling | null;
  /** Share of a head's channels that turn. */
  readonly partial_rotary_factor: number;
  /** Inner width of the feed-forward networks of each layer, dense or expert. */
  readonly intermediate_size: readonly number[];
  /** Null: the family's own. */
  readonly hidden_act: Activation | null;
  /** Whether networks have a gate, in families of which not all do. */
  readonly is_gated_act: boolean;
  readonly mlp_bias: boolean;
  /** Of norms of any kind. */
  readonly rms_norm_eps: number;
  /** Standard deviation of initial matrices; null: as the family's paper has it. */
  readonly initializer_range: number | null;
  /** Whether the head's matrix is the embedding's. */
  readonly tie_word_embeddings: boolean;
  readonly mamba: MambaConfig;
  /** What each layer is, where a pattern says so: see `layer_pattern.ts`. */
  readonly layers: readonly string[] | null;
  readonly moe: MixtureConfig | null;
}

export type Activation = NonNullable<ModelSection['hidden_act']>;

/** Keys of the `moe` section that a mixture is not made of: where mixtures are, and what is written down of them. */
export type NoMixtureKey = 'every_n_layers' | 'metrics' | 'record' | 'replay';

/** How a mixture routes, by the names of the topology's `moe` section. */
export type MixtureConfig = Omit<MoeSection, NoMixtureKey> & {
  /** Layers that have a mixture of experts. */
  readonly layers: readonly number[];
};

/** Whether gradients wait for the load of all microbatches of a step. */
export const balancesSteps = ({ aux_loss: over, aux_loss_coef: weight }: MixtureConfig): boolean =>
  over === 'global' && weight > 0;

/** Sizes of one layer, as sublayers of somebody's own see them. */
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
