/** From a topology file's `model` and `moe` sections to what a model is built from. */
import { type MoeSection, type Topology } from '../topology/index.ts';
import { objectiveOf } from './objectives/index.ts';
import type { MixtureConfig, ModelConfig } from './config.ts';
import type { TraceSettings } from './trace_settings.ts';

const precisions = { fp32: 'f32', bf16: 'bf16', fp16: 'f16' } as const;

/** The config of a topology's model, with the vocabulary of its tokenizer. */
export function modelConfigOf({ model, moe }: Topology, vocabulary: number): ModelConfig {
  const layers = Array.from({ length: model.num_hidden_layers }, (_, layer) => layer);
  const { intermediate_size: widths } = model;
  return {
    family: model.architecture,
    vocab_size: vocabulary,
    hidden_size: model.hidden_size,
    num_hidden_layers: model.num_hidden_layers,
    num_attention_heads: model.num_attention_heads,
    intermediate_size: typeof widths === 'number' ? layers.map(() => widths) : widths,
    rope_theta: model.rope_theta,
    rms_norm_eps: model.rms_norm_eps,
    tie_word_embeddings: model.tie_word_embeddings,
    moe: moe === undefined ? null : mixtureConfigOf(moe, layers),
  };
}

/** Every n-th layer is sparse, the last of each n (arXiv 2101.03961 table 9 has every other). */
function mixtureConfigOf(section: MoeSection, layers: readonly number[]): MixtureConfig {
  const { every_n_layers: n, metrics: _1, record: _2, replay: _3, ...moe } = section;
  return { ...moe, layers: layers.filter((layer) => (layer + 1) % n === 0) };
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
