/**
 * What configs of decoders have in common on Hugging Face: sizes, attention, rotary positions and activations. Each direction is a pure
 * function between keys of `config.json` and keys of a topology's `model` section, most of which are the same words.
 */
import type { Activation, ModelConfig } from '../config.ts';
import { ropeScalingKeys, type ModelSection } from '../../topology/index.ts';
import { NoHfConfig } from './codec.ts';
import type { HfConfig } from './hf_config.ts';
import type { Keys } from './keys.ts';

const acts: Readonly<Record<string, Activation>> = {
  relu: 'relu',
  relu2: 'relu2',
  silu: 'silu',
  swish: 'silu',
  gelu: 'gelu',
};

/** Sizes of any model: its width, layers and ends. */
export const readSizes = (config: HfConfig, tiesUnlessSaid: boolean): Keys => ({
  hidden_size: config.whole('hidden_size'),
  num_hidden_layers: config.whole('num_hidden_layers'),
  vocab_size: config.whole('vocab_size'),
  tie_word_embeddings: config.flag('tie_word_embeddings', tiesUnlessSaid),
  ...(config.has('initializer_range') ? { initializer_range: config.number('initializer_range') } : {}),
});

export const writeSizes = (config: ModelConfig): Keys => ({
  hidden_size: config.hidden_size,
  num_hidden_layers: config.num_hidden_layers,
  vocab_size: config.vocab_size,
  tie_word_embeddings: config.tie_word_embeddings,
  ...(config.initializer_range === null ? {} : { initializer_range: config.initializer_range }),
});

/** Attention and the feed-forward network; what a config does not say is as Hugging Face's classes have it. */
export function readDecoder(config: HfConfig, usual: { readonly act: Activation; readonly theta: number }): Keys {
  const heads = config.whole('num_attention_heads');
  const longest = config.whole('max_position_embeddings', 2048);
  return {
    num_attention_heads: heads,
    num_key_value_heads: config.whole('num_key_value_heads', heads),
    ...(config.has('head_dim') ? { head_dim: config.whole('head_dim') } : {}),
    attention_bias: config.flag('attention_bias', false),
    intermediate_size: config.whole('intermediate_size'),
    hidden_act: config.word('hidden_act', acts, usual.act),
    max_position_embeddings: longest,
    ...readRope(config, usual.theta, longest),
  };
}

/** Throws `NoHfConfig` where layers differ in width. */
export function writeDecoder(family: string, config: ModelConfig, model: ModelSection): Keys {
  const { intermediate_size: widths } = config;
  const [width] = widths;
  if (widths.some((each) => each !== width)) throw new NoHfConfig(family, 'model.intermediate_size', widths, width);
  return { ...writeAttention(config, model), intermediate_size: width };
}

/** All of a decoder but the widths of its networks. */
export const writeAttention = (config: ModelConfig, { max_position_embeddings }: ModelSection): Keys => ({
  num_attention_heads: config.num_attention_heads,
  num_key_value_heads: config.num_key_value_heads,
  head_dim: config.head_dim,
  ...(config.hidden_act === null ? {} : { hidden_act: config.hidden_act }),
  max_position_embeddings,
  rope_theta: config.rope_theta,
  rope_scaling: config.rope_scaling,
});

/** Keys that a query sees, of those that have windows. */
export const readWindow = (config: HfConfig): Keys =>
  config.has('sliding_window') ? { sliding_window: config.whole('sliding_window') } : {};

/** Version 5 has one block for all of it, older ones a key and a block for scalings. */
function readRope(config: HfConfig, usualTheta: number, longest: number): Keys {
  const block = config.below('rope_parameters');
  const scaling = block ?? config.below('rope_scaling');
  const theta =
    (block?.has('rope_theta') ?? false) ? block!.number('rope_theta') : config.number('rope_theta', usualTheta);
  return { rope_theta: theta, ...(scaling === null ? {} : readScaling(scaling, longest)) };
}

/** What stands in the block of a scaling and is read elsewhere, or says what the block's other keys say. */
const besideScaling = ['rope_type', 'type', 'rope_theta', 'partial_rotary_factor'];

/** `longest` is the model's longest sequence, which Hugging Face takes as that of YaRN's pre-training where the block has none. */
function readScaling(block: HfConfig, longest: number): Keys {
  const type = block.has('rope_type') ? 'rope_type' : 'type';
  const rope_type = block.word(
    type,
    { default: 'default', linear: 'linear', llama3: 'llama3', yarn: 'yarn' } as const,
    'default',
  );
  if (rope_type === 'default') return {};
  const read: readonly string[] = ropeScalingKeys[rope_type];
  const unread = block.keys().find((key) => !read.includes(key) && !besideScaling.includes(key));
  if (unread !== undefined)
    block.refuse(
      unread,
      `it is not read, and the model would compute otherwise; of ${rope_type} these are: ${read.join(', ')}`,
    );
  const present = read.filter((key) => block.has(key));
  const values = Object.fromEntries(present.map((key) => [key, block.number(key)]));
  const usual = rope_type === 'yarn' ? { original_max_position_embeddings: longest } : {};
  return { rope_scaling: { rope_type, ...usual, ...values } };
}
