/**
 * The logical mesh: how the model and the batch are divided. It fixes the numbers of a run; workers only decide where
 * its ranks live, so fewer workers than ranks is fine.
 */
import { z } from 'zod';
import { choice, onlyOne, whole } from './kinds.ts';

export const parallelismSchema = z.strictObject({
  data_parallel: whole(1, { most: 1024, because: 'each replica sends blocks of its gradient to every other' })
    .default(1)
    .describe('Replicas of the model, each with its share of the batch.'),
  expert_parallel: whole(1).default(1).describe('Groups into which the experts of a layer are divided.'),
  pipeline_parallel: whole(1, { most: 1024, because: 'a stage keeps one microbatch for every stage behind it' })
    .default(1)
    .describe('Stages into which the layers are divided.'),
  tensor_parallel: onlyOne('tensor parallelism arrives in a later version')
    .default(1)
    .describe('Parts into which each matrix is divided.'),
  schedule: choice(['1f1b']).default('1f1b').describe('Order of forward and backward passes in a pipeline.'),
  micro_batches: whole(1).default(1).describe('Microbatches that each data-parallel rank makes of its share.'),
});
