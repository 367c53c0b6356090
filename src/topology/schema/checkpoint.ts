/** How often the whole state is written to disk, and how many of those checkpoints are kept. */
import { z } from 'zod';
import { whole } from './kinds.ts';

export const checkpointSchema = z.strictObject({
  interval: whole(0).default(100).describe('Steps between checkpoints; 0 writes one at the end only.'),
  keep: whole(1).default(3).describe('Newest checkpoints to keep.'),
});
