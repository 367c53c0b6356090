/**
 * The joint between a family and its checkpoints on Hugging Face. Parameters have Hugging Face's names and shapes everywhere, so a
 * codec is of configs only: from `config.json` to sections of a topology, and back.
 */
import type { Topology } from '../../topology/index.ts';
import type { MixtureConfig, ModelConfig } from '../config.ts';
import type { Keys } from './keys.ts';
import type { HfConfig } from './hf_config.ts';

/** Sections of a topology, of which all else has its defaults. */
export interface Sections {
  readonly model: Keys;
  readonly moe?: Keys;
}

export interface HuggingFace {
  /** Values of `model_type` that it reads; it writes the first unless it says another. */
  readonly modelTypes: readonly [string, ...string[]];
  /** The class that `architectures` names. */
  readonly className: string;
  /** Throws `BadHfConfig` for what the family cannot be. */
  readonly read: (config: HfConfig) => Sections;
  /** Keys of config.json that follow from a model. Throws `NoHfConfig` for what the format cannot say. */
  readonly write: (config: ModelConfig, topology: Pick<Topology, 'model' | 'moe'>) => Keys;
}

/** A model that has no config on Hugging Face: its family is there, but not with this. */
export class NoHfConfig extends Error {
  readonly tag = 'NoHfConfig';
  readonly exitCode = 2;
  constructor(family: string, key: string, value: unknown, said: unknown) {
    super(
      `${key} ${JSON.stringify(value)} cannot be said in a config.json of ${family}, which always has ${JSON.stringify(said)}; ` +
        'export a model that has that',
    );
    this.name = 'NoHfConfig';
  }
}

/** Throws `NoHfConfig` where a config has anything else in these keys. */
export const refuseUnequal = (family: string, config: ModelConfig, said: Partial<ModelConfig>): void =>
  refuseOthers(family, 'model', config, said);

/** The same of how a mixture routes. */
export const refuseRouting = (family: string, moe: MixtureConfig, said: Partial<MixtureConfig>): void =>
  refuseOthers(family, 'moe', moe, said);

function refuseOthers<Section extends object>(
  family: string,
  section: string,
  values: Section,
  said: Partial<Section>,
): void {
  for (const key in said) {
    if (values[key] !== said[key]) throw new NoHfConfig(family, `${section}.${key}`, values[key], said[key]);
  }
}
