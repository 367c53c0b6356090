/** From a topology file's `model` and `moe` sections to what a model is built from. */
import { isMixture, type ModelSection, type MoeSection, type Topology } from '../topology/index.ts';
import type { RopeScaling } from '../kernels/ops/rope_frequencies.ts';
import { objectiveOf } from './objectives/index.ts';
import type { MixtureConfig, ModelConfig } from './config.ts';
import type { TraceSettings } from './trace_settings.ts';

const precisions = { fp32: 'f32', bf16: 'bf16', fp16: 'f16' } as const;

/** The config of a topology's model, with the vocabulary of its tokenizer. */
export function modelConfigOf({ model, moe }: Topology, vocabulary: number): ModelConfig {
  const numbers = Array.from({ length: model.num_hidden_layers }, (_, layer) => layer);
  const { intermediate_size: widths, hidden_size: hidden, num_attention_heads: heads, layers: pattern } = model;
  const layers = pattern === undefined ? null : numbers.map((layer) => pattern[layer % pattern.length]);
  return {
    family: model.architecture,
    vocab_size: vocabulary,
    hidden_size: hidden,
    num_hidden_layers: model.num_hidden_layers,
    num_attention_heads: heads,
    num_key_value_heads: model.num_key_value_heads ?? heads,
    head_dim: model.head_dim ?? hidden / heads,
    attention_bias: model.attention_bias ?? false,
    qk_norm: model.qk_norm ?? 'none',
    sliding_window: model.sliding_window ?? null,
    rope_theta: model.rope_theta,
    rope_scaling: ropeScalingOf(model),
    partial_rotary_factor: model.partial_rotary_factor ?? 1,
    intermediate_size: typeof widths === 'number' ? numbers.map(() => widths) : widths,
    hidden_act: model.hidden_act ?? null,
    is_gated_act: model.is_gated_act ?? false,
    mlp_bias: model.mlp_bias ?? false,
    rms_norm_eps: model.rms_norm_eps,
    initializer_range: model.initializer_range ?? null,
    tie_word_embeddings: model.tie_word_embeddings,
    mamba: {
      state_size: model.state_size ?? 16,
      conv_kernel: model.conv_kernel ?? 4,
      expand: model.expand ?? 2,
      time_step_rank: model.time_step_rank ?? Math.ceil(hidden / 16),
      use_bias: model.use_bias ?? false,
      use_conv_bias: model.use_conv_bias ?? true,
    },
    layers,
    moe: moe === undefined ? null : mixtureConfigOf(moe, sparseLayers(numbers, layers, moe)),
  };
}

/** The schema has the keys of all rules; its checks have seen to it that a rule has those that it needs. */
function ropeScalingOf({ rope_scaling: scaling }: ModelSection): RopeScaling | null {
  if (scaling === undefined) return null;
  const { rope_type, factor, original_max_position_embeddings, low_freq_factor, high_freq_factor, ...yarn } = scaling;
  if (rope_type === 'linear') return { rope_type, factor };
  const scaled = { factor, original_max_position_embeddings: original_max_position_embeddings! };
  return rope_type === 'yarn'
    ? { rope_type, ...scaled, ...yarn }
    : { rope_type, ...scaled, low_freq_factor: low_freq_factor!, high_freq_factor: high_freq_factor! };
}

/** Those of a pattern, or else every n-th, the last of each n (arXiv 2101.03961 table 9 has every other). */
const sparseLayers = (
  numbers: readonly number[],
  layers: readonly string[] | null,
  { every_n_layers: n }: MoeSection,
) => numbers.filter((layer) => (layers === null ? (layer + 1) % n === 0 : isMixture(layers[layer])));

function mixtureConfigOf(section: MoeSection, layers: readonly number[]): MixtureConfig {
  const { every_n_layers: _0, metrics: _1, record: _2, replay: _3, ...moe } = section;
  return { ...moe, layers };
}

/** What its programs are traced for; `batch` sequences make a microbatch. */
export function traceSettingsOf({ training, objective, data }: Topology, batch: number): TraceSettings {
  const { sequence_length: sequence } = training;
  return {
    batch,
    sequence,
    segments: data.pack,
    taps: false,
    precision: precisions[training.precision],
    objective: objectiveOf(objective),
  };
}
