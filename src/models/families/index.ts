/** A config names its family; this file knows them by that name, and builds the model. */
import type { Model } from '../model.ts';
import type { Family, FamilyParts } from './family.ts';
import * as kit from './kit.ts';
import { switchTransformer } from './switch.ts';
import { transformer } from './transformer.ts';

const families: Readonly<Record<FamilyParts['config']['family'], Family>> = { transformer, switch: switchTransformer };

/** Builds the model of a config; by somebody's family where one is given. Throws what that, or its sublayers, throw. */
export const buildModel = (parts: FamilyParts, family = families[parts.config.family]): Model => family(parts, kit);
