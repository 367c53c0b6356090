/** The joint between a model's config and the model: a family builds one from the other. One file each in this folder. */
import type { ModelConfig, TraceSettings } from '../config.ts';
import type { Model } from '../model.ts';
import type { Sublayers } from '../sublayer.ts';

export interface FamilyParts {
  readonly config: ModelConfig;
  readonly settings: TraceSettings;
  /** What its layers are made of: the family's own, or somebody's. */
  readonly sublayers: Sublayers;
}

export type Family = (parts: FamilyParts) => Model;
