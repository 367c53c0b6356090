/**
 * The config.json of a model that is exported: what its family's codec says of it, over the one that it was imported with. Keys of that
 * which nothing here has changed stay as they were written, whichever version of the format wrote them.
 */
import type { Topology } from '../topology/index.ts';
import type { ModelConfig } from './config.ts';
import { huggingFaceOf } from './families/index.ts';
import type { Keys } from './hugging_face/keys.ts';

export interface Described {
  readonly config: ModelConfig;
  readonly topology: Pick<Topology, 'model' | 'moe'>;
}

/** The keys of a model's own config.json. Throws `NoHfConfig` for what the format cannot say. */
export function describedKeys({ config, topology }: Described): Keys {
  const codec = huggingFaceOf(config.family);
  return { architectures: [codec.className], model_type: codec.modelTypes[0], ...codec.write(config, topology) };
}

/** The config.json that a model was imported with, and the model that it describes. */
export interface Original extends Described {
  readonly keys: Keys;
}

/** Throws `NoHfConfig`. */
export function exportedKeys(model: Described, original: Original | null): Keys {
  const now = describedKeys(model);
  if (original === null) return now;
  const before = describedKeys(original);
  const differ = (key: string): boolean => JSON.stringify(now[key]) !== JSON.stringify(before[key]);
  // A YaRN that does not name the length of its pre-training takes this one, and must go on without.
  const followsLength = (key: string): boolean =>
    key === 'rope_scaling' && isYarn(now[key]) && differ('max_position_embeddings');
  const changed = Object.keys(now).filter((key) => differ(key) || followsLength(key));
  const gone = Object.keys(before).filter((key) => !(key in now));
  const kept = Object.entries(original.keys).filter(([key]) => !gone.includes(key));
  const over = Object.fromEntries(changed.map((key) => [key, now[key]]));
  return inVersion(original.keys, { ...Object.fromEntries(kept), ...over }, changed, now);
}

const isYarn = (scaling: unknown): boolean =>
  typeof scaling === 'object' && scaling !== null && 'rope_type' in scaling && scaling.rope_type === 'yarn';

const rotary = ['rope_theta', 'rope_scaling', 'partial_rotary_factor'];

/** Version 5 has one block for all of rotary positions, in the place of keys. */
function inVersion(original: Keys, keys: Keys, changed: readonly string[], now: Keys): Keys {
  const { rope_parameters: block } = original;
  if (typeof block !== 'object' || block === null || !changed.some((key) => rotary.includes(key))) return keys;
  const { rope_theta, rope_scaling, partial_rotary_factor } = now;
  const others = Object.entries(keys).filter(([key]) => !rotary.includes(key) || key in original);
  const scaling = typeof rope_scaling === 'object' && rope_scaling !== null ? rope_scaling : { rope_type: 'default' };
  const share = 'partial_rotary_factor' in block ? { partial_rotary_factor } : {};
  return { ...Object.fromEntries(others), rope_parameters: { ...scaling, rope_theta, ...share } };
}

/** Names of dtypes in config.json. */
export const hfDtypes = { float32: 'F32', bfloat16: 'BF16', float16: 'F16' } as const;
export type HfDtype = keyof typeof hfDtypes;

export const isHfDtype = (word: unknown): word is HfDtype => typeof word === 'string' && Object.hasOwn(hfDtypes, word);

/** The key by which a config.json tells its dtype: the older one where it has that. */
export const dtypeKey = (keys: Keys): 'dtype' | 'torch_dtype' =>
  'torch_dtype' in keys && !('dtype' in keys) ? 'torch_dtype' : 'dtype';
