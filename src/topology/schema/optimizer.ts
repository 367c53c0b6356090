/** The update rule and the learning rate over time. */
import { z } from 'zod';
import { choice, fraction32, notNegative32, positive32, whole } from './kinds.ts';

export const optimizerSchema = z.strictObject({
  name: choice(['adamw']).default('adamw').describe('Update rule: Adam with decoupled weight decay.'),
  lr: positive32().default(2e-3).describe('Peak learning rate.'),
  min_lr: notNegative32().default(2e-4).describe('Learning rate at the end of the cosine.'),
  warmup_steps: whole(0).default(20).describe('Steps of linear warm-up to the peak.'),
  schedule: choice(['cosine', 'constant'])
    .default('cosine')
    .describe('Learning rate after warm-up: down to min_lr along a cosine, or the peak throughout.'),
  betas: z
    .tuple([fraction32('decay'), fraction32('decay')])
    .meta({ allowed: 'a list of two numbers, each 0 or more and less than 1', fp32: 'decay' })
    .default([0.9, 0.95])
    .describe('Decay of the first and second moment.'),
  eps: positive32().default(1e-8).describe('Added to the root of the second moment.'),
  weight_decay: notNegative32().default(0.1).describe('Decoupled decay of matrices, times the learning rate.'),
  grad_clip: notNegative32().default(1).describe('Largest global gradient norm; 0 never clips.'),
});
