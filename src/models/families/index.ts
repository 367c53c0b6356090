/** A config names its family; this file knows them by that name, and builds the model. */
import type { Model } from '../model.ts';
import { checkSegments } from '../segments.ts';
import type { Family, FamilyParts } from './family.ts';
import * as kit from './kit.ts';
import { switchTransformer } from './switch.ts';
import { transformer } from './transformer.ts';

const families: Readonly<Record<FamilyParts['config']['family'], Family>> = { transformer, switch: switchTransformer };

/**
 * Builds the model of a config; by somebody's family where one is given. Throws what that, or its sublayers, throw, and `TypeError`
 * where a layer lets samples of a sequence see each other.
 */
export function buildModel(parts: FamilyParts, family = families[parts.config.family]): Model {
  const model = family(parts, kit);
  checkSegments(model, parts.settings);
  return model;
}
