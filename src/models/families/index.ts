/** A config names its family; this file knows them by that name, and builds the model. */
import type { Model } from '../model.ts';
import type { ModelConfig } from '../config.ts';
import type { HuggingFace, Sections } from '../hugging_face/codec.ts';
import type { HfConfig } from '../hugging_face/hf_config.ts';
import { checkSegments } from '../segments.ts';
import type { Sublayers } from '../sublayer.ts';
import type { TraceSettings } from '../trace_settings.ts';
import type { Family, OwnFamily } from './family.ts';
import * as kit from './kit.ts';
import { llama } from './llama.ts';
import { mamba } from './mamba.ts';
import { mixtral } from './mixtral.ts';
import { moeMamba } from './moe_mamba.ts';
import { nemotron } from './nemotron.ts';
import { olmoe } from './olmoe.ts';
import { qwen3Moe } from './qwen3_moe.ts';
import { switchTransformer } from './switch.ts';
import { transformer } from './transformer.ts';

const families: Readonly<Record<ModelConfig['family'], OwnFamily>> = {
  transformer,
  switch: switchTransformer,
  llama,
  mixtral,
  olmoe,
  qwen3_moe: qwen3Moe,
  nemotron,
  mamba,
  moe_mamba: moeMamba,
};

export interface ModelParts {
  readonly config: ModelConfig;
  readonly settings: TraceSettings;
  /** What stands in the place of the family's own. */
  readonly sublayers?: Partial<Sublayers>;
}

/** The sublayers of a config's family, but for those that are given. */
export const sublayersOf = (config: ModelConfig, given: Partial<Sublayers> = {}): Sublayers => ({
  ...families[config.family].sublayers(config),
  ...given,
});

/**
 * Builds the model of a config; by somebody's family where one is given. Throws what that, or its sublayers, throw, and `TypeError`
 * where a layer lets samples of a sequence see each other.
 */
export function buildModel({ config, settings, sublayers }: ModelParts, family?: Family): Model {
  const build = family ?? families[config.family].build;
  const model = build({ config, settings, sublayers: sublayersOf(config, sublayers) }, kit);
  checkSegments(model, settings);
  return model;
}

/** How the checkpoints of a family lie on Hugging Face. */
export const huggingFaceOf = (family: ModelConfig['family']): HuggingFace => families[family].huggingFace;

/**
 * Sections of a topology from the values of a config.json. Throws `BadHfConfig` for a model that there is no family for, and what the
 * family's codec throws.
 */
export function sectionsOf(config: HfConfig): Sections {
  const codecs = Object.values(families).map(({ huggingFace }) => huggingFace);
  const byType = Object.fromEntries(codecs.flatMap((codec) => codec.modelTypes.map((type) => [type, codec])));
  return config.word('model_type', byType, '').read(config);
}
