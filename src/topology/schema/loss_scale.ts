/** How the loss is scaled where products are in fp16; the names and defaults are those that the field uses. */
import { z } from 'zod';
import { powerOfTwo, whole } from './kinds.ts';

export const lossScaleSchema = z.strictObject({
  initial: powerOfTwo()
    .default(2 ** 16)
    .describe(
      'What the gradients of the first step are multiplied by; a step that overflows is skipped and halves it.',
    ),
  growth_interval: whole(1).default(2000).describe('Steps in a row without an overflow after which it is doubled.'),
});
