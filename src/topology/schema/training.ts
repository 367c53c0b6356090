/** How long to train, on how much at a time, and how often to look at held-out data. */
import { z } from 'zod';
import { choice, whole } from './kinds.ts';
import { lossScaleSchema } from './loss_scale.ts';

export const trainingSchema = z.strictObject({
  steps: whole(1).default(300).describe('Optimizer steps of the whole run.'),
  global_batch_size: whole(1).default(16).describe('Sequences a step, over all ranks and microbatches.'),
  sequence_length: whole(2, { most: 2 ** 18, because: 'attention is planned in blocks of 128 tokens' })
    .default(256)
    .describe('Tokens a sequence.'),
  seed: whole(0)
    .max(2 ** 32 - 1)
    .default(1)
    .describe('Seed of initial weights, batches and router jitter.'),
  precision: choice(['fp32', 'bf16', 'fp16'])
    .default('fp32')
    .describe(
      'What the products of matrices in blocks and experts round their operands to. Sums are fp32 always, and so are router, norms, attention, loss, weights and optimizer. `fp16` scales the gradients, and skips a step whose gradients overflow.',
    ),
  eval_interval: whole(0).default(100).describe('Steps between evaluations on held-out data; 0 never evaluates.'),
  eval_sequences: whole(1).default(64).describe('Held-out sequences of an evaluation.'),
  loss_scale: lossScaleSchema
    .prefault({})
    .describe('What gradients are multiplied by while they are made, for `precision: fp16` only.'),
});
