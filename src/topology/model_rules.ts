/** Rules that concern the sizes of a model: heads that share a width, lists of layers, pieces that divide. */
import { attends } from './architectures.ts';
import { problem, type Rule } from './problem.ts';
import { ropeScalingKeys } from './schema/rope_scaling.ts';

export const modelRules: readonly Rule[] = [
  ({ model: { intermediate_size: widths, num_hidden_layers: layers } }) =>
    typeof widths !== 'number' && widths.length !== layers
      ? problem(
          `a list of ${widths.length} for num_hidden_layers ${layers}; give one width for each layer, or one for all`,
          'model.intermediate_size',
          'model.num_hidden_layers',
        )
      : null,

  ({ model: { layers, num_hidden_layers: count } }) =>
    layers !== undefined && count % layers.length !== 0
      ? problem(
          `a pattern of ${layers.length} does not divide num_hidden_layers ${count}; set that to a multiple of it`,
          'model.layers',
          'model.num_hidden_layers',
        )
      : null,

  ({ model: { hidden_size: hidden, num_attention_heads: heads, head_dim: width, ...model } }) =>
    attends(model) && width === undefined && hidden % heads !== 0
      ? problem(
          `hidden_size ${hidden} / num_attention_heads ${heads} is ${Math.round((hidden / heads) * 100) / 100} a head; ` +
            'choose heads that divide it, or set head_dim',
          'model.num_attention_heads',
          'model.hidden_size',
        )
      : null,

  ({ model }) => {
    const { hidden_size: hidden, num_attention_heads: heads, head_dim, partial_rotary_factor: share = 1 } = model;
    const width = head_dim ?? hidden / heads;
    const turned = Math.floor(width * share);
    const of = head_dim === undefined ? `hidden_size ${hidden} / num_attention_heads ${heads}` : `head_dim ${head_dim}`;
    if (!attends(model) || !Number.isInteger(width) || (turned >= 2 && turned % 2 === 0)) return null;
    return problem(
      `${of}${share === 1 ? '' : ` x partial_rotary_factor ${share}`} is ${turned} rotary channels a head; they turn in pairs, so it must be even`,
      head_dim === undefined ? 'model.num_attention_heads' : 'model.head_dim',
      'model.hidden_size',
      'model.partial_rotary_factor',
    );
  },

  ({ model: { num_attention_heads: heads, num_key_value_heads: shared } }) =>
    shared !== undefined && heads % shared !== 0
      ? problem(
          `num_key_value_heads ${shared} does not divide num_attention_heads ${heads}; choose a divisor of it`,
          'model.num_key_value_heads',
          'model.num_attention_heads',
        )
      : null,

  ({ model: { rope_scaling: scaling } }) => {
    if (scaling === undefined) return null;
    const { rope_type: type } = scaling;
    const read: readonly string[] = ['rope_type', ...ropeScalingKeys[type]];
    const strange = Object.keys(scaling).find((key) => !read.includes(key));
    return strange === undefined
      ? null
      : problem(`rope_type ${type} does not read ${strange}; remove it`, `model.rope_scaling.${strange}`);
  },

  ({ model: { rope_scaling: scaling } }) =>
    scaling !== undefined && scaling.rope_type !== 'linear' && scaling.original_max_position_embeddings === undefined
      ? problem(
          `rope_type ${scaling.rope_type} needs original_max_position_embeddings, the longest sequence of pre-training`,
          'model.rope_scaling.original_max_position_embeddings',
          'model.rope_scaling',
        )
      : null,

  ({ model: { rope_scaling: scaling } }) =>
    scaling?.rope_type === 'llama3' &&
    !(scaling.low_freq_factor !== undefined && scaling.high_freq_factor! > scaling.low_freq_factor)
      ? problem(
          'rope_type llama3 needs low_freq_factor, and a high_freq_factor above it',
          'model.rope_scaling.high_freq_factor',
          'model.rope_scaling.low_freq_factor',
          'model.rope_scaling',
        )
      : null,

  ({ model, parallelism }) =>
    parallelism.pipeline_parallel > model.num_hidden_layers
      ? problem(
          `pipeline_parallel ${parallelism.pipeline_parallel} exceeds model.num_hidden_layers ` +
            `${model.num_hidden_layers}; every stage needs a layer`,
          'parallelism.pipeline_parallel',
          'model.num_hidden_layers',
        )
      : null,

  ({ training, model }) =>
    training.sequence_length > model.max_position_embeddings
      ? problem(
          `sequence_length ${training.sequence_length} exceeds model.max_position_embeddings ` +
            String(model.max_position_embeddings),
          'training.sequence_length',
          'model.max_position_embeddings',
        )
      : null,
];
