/** The families by the name that a config has for them. */
import type { Model } from '../model.ts';
import type { Family, FamilyParts } from './family.ts';
import { switchTransformer } from './switch.ts';
import { transformer } from './transformer.ts';

const families: Readonly<Record<FamilyParts['config']['family'], Family>> = { transformer, switch: switchTransformer };

/** Builds the model of a config. Throws what its sublayers throw. */
export const buildModel = (parts: FamilyParts): Model => families[parts.config.family](parts);
