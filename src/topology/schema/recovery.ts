/** What a run may do about failures: when it gives up on a node or a step, and what it accepts when it resumes. */
import { z } from 'zod';
import { longestTimerMs, whole } from './kinds.ts';

export const recoverySchema = z.strictObject({
  allow_class_change: z
    .boolean()
    .default(false)
    .describe('Resume on a device that rounds differently; the curve is then no longer bit-identical.'),
  lease_ms: whole(1000, { most: longestTimerMs, because: 'no timer of Node.js runs longer' })
    .default(10_000)
    .describe('Milliseconds without a sign of life after which a node is declared dead.'),
  step_retries: whole(0)
    .default(10)
    .describe('Times in a row that a step is run again after a broken link before the run gives up.'),
});
