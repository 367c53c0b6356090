/** What a run may do about failures: how often its actors are restarted, and what it accepts when it resumes. */
import { z } from 'zod';
import { positive, whole } from './kinds.ts';

export const recoverySchema = z.strictObject({
  restart_intensity: whole(0).default(3).describe('Restarts of actors within the period before the run gives up.'),
  restart_period: positive().default(60).describe('Seconds over which restarts are counted.'),
  allow_class_change: z
    .boolean()
    .default(false)
    .describe('Resume on a device that rounds differently; the curve is then no longer bit-identical.'),
});
