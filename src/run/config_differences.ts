/**
 * Config differences are keys that no shape tells and that two configs of equal shapes have other values of: the same parameters compute
 * something else by them, or learn by another loss.
 */
import type { MixtureConfig, ModelConfig } from '../models/config.ts';

const modelKeys = [
  'rope_theta',
  'rope_scaling',
  'partial_rotary_factor',
  'rms_norm_eps',
  'hidden_act',
  'sliding_window',
] as const;

/** Which experts a token visits, and its gates. */
const routingKeys = [
  'top_k',
  'score_func',
  'score_order',
  'route_norm',
  'route_scale',
  'num_expert_groups',
  'num_limited_groups',
  'overflow',
] as const;

/** Where somebody may find no slot. */
const capacityKeys = [
  'capacity_factor',
  'eval_capacity_factor',
  'capacity_rounding',
  'min_capacity',
  'drop_order',
] as const;

const trainedKeys = ['aux_loss', 'aux_loss_choices', 'aux_loss_coef', 'z_loss_coef', 'jitter_eps'] as const;

export interface ConfigDifferences {
  /** Keys by which a pass computes otherwise, each with both values. */
  readonly computed: readonly string[];
  /** Keys by which routers are trained otherwise. */
  readonly trained: readonly string[];
}

/** Of what a source says of itself, `theirs`, and the model that begins with it. */
export function differencesOf(theirs: ModelConfig, ours: ModelConfig): ConfigDifferences {
  const computed = differing(theirs, ours, modelKeys);
  const { moe: was } = theirs;
  const { moe: is } = ours;
  // Where only one has experts, names of parameters tell.
  if (was === null || is === null) return { computed, trained: [] };
  const routing = differing(was, is, routingKeys, 'moe.');
  const capacity = hasCapacity(was) && hasCapacity(is) ? differing(was, is, capacityKeys, 'moe.') : [];
  return { computed: [...computed, ...routing, ...capacity], trained: differing(was, is, trainedKeys, 'moe.') };
}

const hasCapacity = ({ overflow }: MixtureConfig): boolean => overflow !== 'dropless';

function differing<K extends string>(
  theirs: Readonly<Record<K, unknown>>,
  ours: Readonly<Record<K, unknown>>,
  keys: readonly K[],
  prefix = '',
): string[] {
  return keys.flatMap((key) => {
    const [was, is] = [theirs[key], ours[key]].map((value) => JSON.stringify(value));
    return was === is ? [] : [`${prefix}${key} ${was}, here ${is}`];
  });
}
