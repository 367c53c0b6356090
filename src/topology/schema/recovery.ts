/** What a run may do about failures: what it accepts when it resumes. */
import { z } from 'zod';

export const recoverySchema = z.strictObject({
  allow_class_change: z
    .boolean()
    .default(false)
    .describe('Resume on a device that rounds differently; the curve is then no longer bit-identical.'),
});
