/**
 * The joint between a model's config and the model: a family builds one from the other. There is one file for each in this
 * folder, and a module of somebody's own may export one.
 */
import type { ModelConfig } from '../config.ts';
import type { TraceSettings } from '../trace_settings.ts';
import type { Model } from '../model.ts';
import type { Sublayers } from '../sublayer.ts';
import type { HuggingFace } from '../hugging_face/codec.ts';
import type * as kit from './kit.ts';

export interface FamilyParts {
  readonly config: ModelConfig;
  readonly settings: TraceSettings;
  /** What its layers are made of: the family's own, or somebody's. */
  readonly sublayers: Sublayers;
}

/**
 * Builds a model. It is called more than once, for microbatches of other sizes, and must give the same parameters each time.
 * It gets what it is written with as an argument, so that its module needs no import but types.
 */
export type Family = (parts: FamilyParts, kit: FamilyKit) => Model;

export type FamilyKit = typeof kit;

/** A family of this folder. */
export interface OwnFamily {
  /** What mixes tokens and what works on rows in the layers of a config, where nobody gives others. */
  readonly sublayers: (config: ModelConfig) => Sublayers;
  readonly build: Family;
  readonly huggingFace: HuggingFace;
}
