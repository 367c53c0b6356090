/** What a run may do about failures: when it gives up on a node or a step, and what it accepts when it resumes. */
import { z } from 'zod';
import { longestTimerMs, notNegative, whole } from './kinds.ts';

const sentinelSchema = z.strictObject({
  window: whole(8, { most: 4096, because: 'a resume reads as many decisions again' })
    .default(64)
    .describe('Committed steps that a step is compared with; before there are as many, nothing is a spike.'),
  loss_spike: notNegative()
    .default(0)
    .describe(
      'Robust deviations above the median of the window (median absolute deviation × 1.4826) from which a loss is an incident; 0 for never.',
    ),
  gradient_spike: notNegative()
    .default(0)
    .describe('The same of the norm of the gradient before it is clipped; 0 for never.'),
});

export const recoverySchema = z.strictObject({
  allow_class_change: z
    .boolean()
    .default(false)
    .describe('Resume on a device that rounds differently; the curve is then no longer bit-identical.'),
  lease_ms: whole(1000, { most: longestTimerMs, because: 'no timer of Node.js runs longer' })
    .default(10_000)
    .describe('Milliseconds without a sign of life after which a node is declared dead.'),
  sentinel: sentinelSchema
    .prefault({})
    .describe('When a step is so unlike those before it that its batch is skipped; two in a row end the run.'),
  step_retries: whole(0)
    .default(10)
    .describe('Times in a row that a step is run again after a broken link before the run gives up.'),
});
