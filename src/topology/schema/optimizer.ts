/** The update rule and the learning rate over time. */
import { z } from 'zod';
import { choice, fraction32, notNegative32, positive32, whole } from './kinds.ts';

export const optimizerSchema = z.strictObject({
  name: choice(['adamw', 'muon'])
    .default('adamw')
    .describe(
      'Update rule: Adam with decoupled weight decay; or Muon, orthogonalised momentum, for the matrices of attention and feed-forward networks, and AdamW for embedding, head, routers and norms. One learning rate and decay fit both.',
    ),
  lr: positive32().default(2e-3).describe('Peak learning rate.'),
  min_lr: notNegative32()
    .default(2e-4)
    .describe('Learning rate of the last step; unused where the schedule is constant.'),
  warmup_steps: whole(0).default(20).describe('Steps of linear warm-up to the peak.'),
  schedule: choice(['cosine', 'linear', 'wsd', 'constant'])
    .default('cosine')
    .describe(
      'Learning rate after warm-up: down to min_lr along a cosine or a line; the peak until the last decay_steps, in which it falls to min_lr (warm-up, stable, decay); or the peak throughout.',
    ),
  decay_steps: whole(1)
    .optional()
    .describe(
      'Last steps in which `schedule: wsd` falls to min_lr; a tenth of training.steps, rounded up, where not given.',
    ),
  decay_type: choice(['1-sqrt', 'linear'])
    .default('1-sqrt')
    .describe('How `schedule: wsd` falls: as 1 minus the root of the part of the decay that is over, or along a line.'),
  betas: z
    .tuple([fraction32('decay'), fraction32('decay')])
    .meta({ allowed: 'a list of two numbers, each 0 or more and less than 1', fp32: 'decay' })
    .default([0.9, 0.95])
    .describe('Decay of the first and second moment of AdamW.'),
  eps: positive32().default(1e-8).describe('Added to the root of the second moment of AdamW.'),
  momentum: fraction32('decay')
    .default(0.95)
    .describe("Part of the momentum that `name: muon` keeps; it is Nesterov's."),
  weight_decay: notNegative32().default(0.1).describe('Decoupled decay of matrices, times the learning rate.'),
  grad_clip: notNegative32().default(1).describe('Largest global gradient norm; 0 never clips.'),
});
