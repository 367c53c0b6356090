/** How long to train, on how much at a time, and how often to look at held-out data. */
import { z } from 'zod';
import { whole } from './kinds.ts';

export const trainingSchema = z.strictObject({
  steps: whole(1).default(300).describe('Optimizer steps of the whole run.'),
  global_batch_size: whole(1).default(16).describe('Sequences a step, over all ranks and microbatches.'),
  sequence_length: whole(2).default(256).describe('Tokens a sequence.'),
  seed: whole(0)
    .max(2 ** 32 - 1)
    .default(1)
    .describe('Seed of initial weights, batches and router jitter.'),
  eval_interval: whole(0).default(100).describe('Steps between evaluations on held-out data; 0 never evaluates.'),
  eval_sequences: whole(1).default(64).describe('Held-out sequences of an evaluation.'),
});
