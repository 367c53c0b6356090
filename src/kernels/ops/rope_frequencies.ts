/**
 * Frequencies of a rotary position embedding: the angle, in radians, by which a pair of channels turns from one position to the
 * next. Without scaling pair i of `width` rotating channels has theta^(−2i/width) (RoFormer, arXiv 2104.09864); a scaling slows
 * pairs down, so that a model sees positions beyond those that it was trained on. Scalings have Hugging Face's names and keys.
 */
import { ShapeError } from '../errors.ts';

/** Every pair is `factor` times slower (arXiv 2306.15595). */
export interface LinearScaling {
  readonly rope_type: 'linear';
  readonly factor: number;
}

/**
 * Pairs that turn less than `low_freq_factor` times in the original context are `factor` times slower, those that turn more than
 * `high_freq_factor` times are as they were, and those between go over from one to the other (Llama 3.1, arXiv 2407.21783).
 */
export interface Llama3Scaling {
  readonly rope_type: 'llama3';
  readonly factor: number;
  readonly low_freq_factor: number;
  readonly high_freq_factor: number;
  /** Tokens of the context before it was extended. */
  readonly original_max_position_embeddings: number;
}

/**
 * NTK by parts (YaRN, arXiv 2309.00071 §3.2): pairs below the one that turns `beta_fast` times in the original context are as they
 * were, those above the one that turns `beta_slow` times are `factor` times slower, and between is a ramp over the pair's number.
 * What is rotated is multiplied by the attention factor (§3.4).
 */
export interface YarnScaling {
  readonly rope_type: 'yarn';
  readonly factor: number;
  /** Tokens of the context before it was extended. Where a config has none, its `max_position_embeddings`. */
  readonly original_max_position_embeddings: number;
  /** Default: 0.1 ln(factor) + 1, or what `mscale` and `mscale_all_dim` give. */
  readonly attention_factor?: number | undefined;
  /** Default 32. */
  readonly beta_fast?: number | undefined;
  /** Default 1. */
  readonly beta_slow?: number | undefined;
  /** Whether the ramp begins and ends at whole numbers of pairs. Default true. */
  readonly truncate?: boolean | undefined;
  /** Where both are given, the attention factor is (0.1 mscale ln(factor) + 1) / (0.1 mscale_all_dim ln(factor) + 1). */
  readonly mscale?: number | undefined;
  readonly mscale_all_dim?: number | undefined;
}

export type RopeScaling = { readonly rope_type: 'default' } | LinearScaling | Llama3Scaling | YarnScaling;

export interface RopeFrequencies {
  /** Radians a position, by pair of channels, in float64. */
  readonly frequencies: readonly number[];
  /** What rotated channels are multiplied by. */
  readonly attentionFactor: number;
}

/** Of `width` rotating channels, which are even in number. Throws `ShapeError` where a scaling is unknown or has impossible numbers. */
export function ropeFrequencies(theta: number, width: number, scaling?: RopeScaling): RopeFrequencies {
  requirePositive({ theta });
  const frequencies = Array.from({ length: width / 2 }, (_, i) => theta ** ((-2 * i) / width));
  if (scaling === undefined) return { frequencies, attentionFactor: 1 };
  const { rope_type: type } = scaling;
  switch (type) {
    case 'default':
      return { frequencies, attentionFactor: 1 };
    case 'linear':
      requirePositive({ factor: scaling.factor });
      return { frequencies: frequencies.map((f) => f / scaling.factor), attentionFactor: 1 };
    case 'llama3':
      return { frequencies: llama3(frequencies, scaling), attentionFactor: 1 };
    case 'yarn':
      return { frequencies: yarn(frequencies, theta, scaling), attentionFactor: attentionFactorOf(scaling) };
    default:
      throw new ShapeError('rope', `scaling ${String(type)} is unknown; default, linear, llama3 and yarn are known`);
  }
}

function llama3(frequencies: readonly number[], scaling: Llama3Scaling): number[] {
  const { factor, low_freq_factor, high_freq_factor, original_max_position_embeddings } = scaling;
  requirePositive({ factor, low_freq_factor, high_freq_factor, original_max_position_embeddings });
  if (low_freq_factor >= high_freq_factor) {
    throw new ShapeError(
      'rope',
      `low_freq_factor ${low_freq_factor} is not below high_freq_factor ${high_freq_factor}`,
    );
  }
  return frequencies.map((f) => {
    const turns = (original_max_position_embeddings * f) / (2 * Math.PI);
    const kept = clamped((turns - low_freq_factor) / (high_freq_factor - low_freq_factor));
    return mixed(f, factor, kept);
  });
}

function yarn(frequencies: readonly number[], theta: number, scaling: YarnScaling): number[] {
  const { factor, original_max_position_embeddings: tokens, truncate = true } = scaling;
  const { beta_fast = 32, beta_slow = 1 } = scaling;
  requirePositive({ factor, original_max_position_embeddings: tokens, beta_fast, beta_slow });
  if (theta === 1) throw new ShapeError('rope', 'theta is 1, which yarn scaling cannot do with');
  const width = 2 * frequencies.length;
  /** The number of the pair, no whole one, that turns so many times in the original context. */
  const pairOf = (turns: number): number => (width * Math.log(tokens / (2 * Math.PI * turns))) / (2 * Math.log(theta));
  const [fast, slow] = [pairOf(beta_fast), pairOf(beta_slow)];
  const first = Math.max(truncate ? Math.floor(fast) : fast, 0);
  const last = Math.min(truncate ? Math.ceil(slow) : slow, width - 1);
  // A ramp of no length is a step.
  const length = first === last ? 0.001 : last - first;
  return frequencies.map((f, pair) => mixed(f, factor, 1 - clamped((pair - first) / length)));
}

function attentionFactorOf({ factor, attention_factor, mscale, mscale_all_dim }: YarnScaling): number {
  if (attention_factor !== undefined) return attention_factor;
  const grown = (scale: number): number => (factor <= 1 ? 1 : 0.1 * scale * Math.log(factor) + 1);
  // Zeros count as absent.
  return mscale && mscale_all_dim ? grown(mscale) / grown(mscale_all_dim) : grown(1);
}

const clamped = (x: number): number => Math.min(Math.max(x, 0), 1);

/** Of a frequency the part `kept` as it was, the rest slower. */
const mixed = (frequency: number, factor: number, kept: number): number =>
  (frequency / factor) * (1 - kept) + frequency * kept;

function requirePositive(values: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(values)) {
    if (!(value > 0 && Number.isFinite(value)))
      throw new ShapeError('rope', `${name} is ${value}, needs to be above 0`);
  }
}
