/**
 * The config.json of a family that Hugging Face has no class for: the sections of a topology as they are, the model's keys at the top
 * and `moe` below, under a `model_type` that begins with `troupe_`.
 */
import type { ArchitectureName } from '../../topology/index.ts';
import type { HuggingFace } from './codec.ts';

export const ownConfig = (family: ArchitectureName): HuggingFace => ({
  modelTypes: [`troupe_${family}`],
  className: 'TroupeForCausalLM',
  read: (config) => {
    const moe = config.below('moe');
    const model = { architecture: family, ...config.sectionOf('model') };
    return moe === null ? { model } : { model, moe: moe.sectionOf('moe') };
  },
  write: ({ vocab_size }, { model, moe }) => {
    const { architecture: _0, sublayers: _1, ...keys } = model;
    return { ...keys, vocab_size, ...(moe === undefined ? {} : { moe }) };
  },
});
