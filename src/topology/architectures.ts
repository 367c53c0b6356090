/**
 * Architectures that a topology may name: which keys of `model` each reads beside those of all, whether it has experts, and where
 * its defaults differ from the schema's. Defaults lie under what a file says, before the schema sees either.
 */
import { isPlainMap, type PlainMap } from './plain.ts';

export const architectureNames = [
  'transformer',
  'switch',
  'llama',
  'mixtral',
  'olmoe',
  'qwen3_moe',
  'nemotron',
  'mamba',
  'moe_mamba',
] as const;
export type ArchitectureName = (typeof architectureNames)[number];

export interface Architecture {
  /** Keys of `model` that it reads, beside those that all read. */
  readonly keys: readonly string[];
  /** Whether it has mixtures: `by layers` where `model.layers` says so. */
  readonly experts: 'none' | 'some' | 'by layers';
  readonly model: Readonly<Record<string, unknown>>;
  readonly moe: Readonly<Record<string, unknown>>;
}

/** Keys that only some architectures read; all others are read by all. */
const attention = [
  'num_attention_heads',
  'num_key_value_heads',
  'head_dim',
  'attention_bias',
  'qk_norm',
  'sliding_window',
  'rope_theta',
  'rope_scaling',
  'partial_rotary_factor',
];
const feedForward = ['intermediate_size', 'hidden_act', 'mlp_bias'];
const mamba = ['state_size', 'conv_kernel', 'expand', 'time_step_rank', 'use_bias', 'use_conv_bias'];
const gate = ['is_gated_act'];
const pattern = ['layers'];
const ofSome = new Set([...attention, ...feedForward, ...gate, ...mamba, ...pattern]);

const decoder = [...attention, ...feedForward];
/** Routing of Mixtral (arXiv 2401.04088 §2.1): in every layer, two of eight, gates over the two, nobody dropped. */
const mixtralRouting = {
  every_n_layers: 1,
  top_k: 2,
  score_order: 'topk_softmax',
  overflow: 'dropless',
  jitter_eps: 0,
};

export const architectures: Readonly<Record<ArchitectureName, Architecture>> = {
  transformer: { keys: [...decoder, ...gate], experts: 'none', model: {}, moe: {} },
  switch: { keys: [...decoder, ...gate], experts: 'some', model: {}, moe: {} },
  llama: { keys: decoder, experts: 'none', model: { hidden_act: 'silu', initializer_range: 0.02 }, moe: {} },
  mixtral: {
    keys: decoder.filter((key) => key !== 'mlp_bias'),
    experts: 'some',
    model: { hidden_act: 'silu', initializer_range: 0.02, rope_theta: 1e6, rms_norm_eps: 1e-5 },
    moe: mixtralRouting,
  },
  // arXiv 2409.02060 table 1: 8 of 64 experts, gates as they come out of the softmax, z-loss 0.001.
  olmoe: {
    keys: decoder.filter((key) => key !== 'mlp_bias'),
    experts: 'some',
    model: { hidden_act: 'silu', initializer_range: 0.02, rms_norm_eps: 1e-5, qk_norm: 'rows' },
    moe: { every_n_layers: 1, num_experts: 64, top_k: 8, overflow: 'dropless', jitter_eps: 0, z_loss_coef: 0.001 },
  },
  // arXiv 2505.09388 §2: 8 of 128 experts, gates that sum to 1.
  qwen3_moe: {
    keys: decoder.filter((key) => key !== 'mlp_bias'),
    experts: 'some',
    model: { hidden_act: 'silu', initializer_range: 0.02, rope_theta: 1e6, qk_norm: 'heads' },
    moe: { every_n_layers: 1, num_experts: 128, top_k: 8, route_norm: true, overflow: 'dropless', jitter_eps: 0 },
  },
  nemotron: {
    keys: decoder,
    experts: 'none',
    model: { hidden_act: 'relu2', initializer_range: 0.0134, rms_norm_eps: 1e-5, partial_rotary_factor: 0.5 },
    moe: {},
  },
  mamba: {
    keys: mamba,
    experts: 'none',
    model: { tie_word_embeddings: true, initializer_range: 0.02, rms_norm_eps: 1e-5 },
    moe: {},
  },
  // Capacity factor and jitter are the authors' (arXiv 2401.04081 §3.1).
  moe_mamba: {
    keys: [...decoder, ...gate, ...mamba, ...pattern],
    experts: 'by layers',
    model: { layers: ['mamba', 'moe'], rms_norm_eps: 1e-5 },
    moe: { every_n_layers: 1, capacity_factor: 1, eval_capacity_factor: 1, min_capacity: 0, jitter_eps: 0 },
  },
};

const isArchitecture = (name: unknown): name is ArchitectureName =>
  typeof name === 'string' && Object.hasOwn(architectures, name);

/** The architecture that the values of a file name, before they are checked; null where they name none that there is. */
function namedIn(root: unknown): Architecture | null {
  const name = isPlainMap(root) && isPlainMap(root.model) ? (root.model.architecture ?? 'switch') : 'switch';
  return isArchitecture(name) ? architectures[name] : null;
}

/** The values of a file over the defaults of the architecture that it names. */
export function overDefaults(root: unknown): unknown {
  const named = namedIn(root);
  if (named === null || !isPlainMap(root)) return root;
  const { model = {}, moe } = root;
  if (!isPlainMap(model)) return root;
  const over: PlainMap = { ...named.model, ...model };
  const own = moe ?? {};
  const isMixed = moe !== undefined || mixes(named, over.layers);
  return { ...root, model: over, ...(isMixed && isPlainMap(own) ? { moe: { ...named.moe, ...own } } : {}) };
}

/** Whether a model has mixtures. */
export const hasExperts = ({ architecture, layers }: { architecture: ArchitectureName; layers?: unknown }): boolean =>
  mixes(architectures[architecture], layers);

const mixes = ({ experts }: Architecture, layers: unknown): boolean =>
  experts === 'by layers'
    ? Array.isArray(layers) && layers.some((layer) => typeof layer === 'string' && isMixture(layer))
    : experts === 'some';

/** Mixtures of a layer of a pattern: one, or as many as projections of a Mamba are some. */
export const mixturesOfLayer = (layer: string): number => layer.match(/moe|conv|gate|out/g)?.length ?? 0;

/** Whether a layer of a pattern has a mixture. */
export const isMixture = (layer: string): boolean => mixturesOfLayer(layer) > 0;

/** Whether a model has attention: by `model.layers` where that says so. */
export const attends = ({
  architecture,
  layers,
}: {
  architecture: ArchitectureName;
  layers?: readonly string[] | undefined;
}): boolean =>
  architectures[architecture].keys.includes('num_attention_heads') &&
  (layers === undefined || layers.some((layer) => layer.includes('attention')));

/** Keys of `model` in a file that the architecture which it names does not read. */
export function strangeKeys(root: unknown): string[] {
  const named = namedIn(root);
  if (named === null || !isPlainMap(root) || !isPlainMap(root.model)) return [];
  return Object.keys(root.model).filter((key) => ofSome.has(key) && !named.keys.includes(key));
}

/** Architectures that read a key of `model`. */
export const readersOf = (key: string): string[] =>
  architectureNames.filter((name) => !ofSome.has(key) || architectures[name].keys.includes(key));
