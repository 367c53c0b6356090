/** What the trainer and the checkpointer are told. */
import { z } from 'zod';
import { ask, defineProtocol, tell } from '../../runtime/index.ts';

export const outcomeSchema = z.object({
  status: z.enum(['done', 'interrupted']),
  step: z.int(),
  evalLoss: z.number().nullable(),
});
export type TrainingOutcome = z.infer<typeof outcomeSchema>;

export const trainerProtocol = defineProtocol('trainer', {
  /** Trains from `firstStep`; answered when the last step is done or the run was interrupted. */
  train: ask({ args: z.object({ firstStep: z.int(), updateStep: z.int() }), reply: outcomeSchema }),
  /** The trainer tells itself to take the next step, so that it hears others in between. */
  next: tell({}),
  /** Ends after the step in hand, with a checkpoint. */
  interrupt: tell({}),
});

export const checkpointerProtocol = defineProtocol('checkpointer', {
  /** Writes a checkpoint of all roles; `step` data steps are done, of which `updateStep` changed parameters. */
  write: ask({
    args: z.object({ step: z.int(), updateStep: z.int(), evalLoss: z.number().nullable() }),
    reply: z.object({ path: z.string(), digest: z.string() }),
  }),
});
