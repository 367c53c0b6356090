/** What the trainer and the checkpointer are told. */
import { z } from 'zod';
import { ask, defineProtocol, itself, tell } from '../../runtime/index.ts';
import { owner, recovery, trainer } from './callers.ts';
import { lossScaleSchema } from './parameters.ts';

export const outcomeSchema = z.object({
  status: z.enum(['done', 'interrupted', 'paused']),
  step: z.int(),
  evalLoss: z.number().nullable(),
});
export type TrainingOutcome = z.infer<typeof outcomeSchema>;

export const trainerProtocol = defineProtocol('trainer', {
  /** Trains from `firstStep`, which a new run checkpoints first; answered when the last step is done or the run was interrupted. */
  train: ask({
    fenced: false,
    from: owner,
    args: z.object({
      firstStep: z.int(),
      updateStep: z.int(),
      isNew: z.boolean(),
      /** Where the checkpoint has one. */
      lossScale: lossScaleSchema.exactOptional(),
    }),
    reply: outcomeSchema,
  }),
  /** The trainer tells itself to open the next step, or to end. */
  next: tell({ from: [itself] }),
  /** The trainer tells itself that all have voted on the step in hand; it has heard others since it was opened. */
  voted: tell({ from: [itself] }),
  /** All have entered this gen, where `step` data steps are applied; the former one was left because of `what`. */
  goOn: tell({ from: [recovery], args: z.object({ step: z.int(), what: z.string() }) }),
  /** Ends after the step in hand, with a checkpoint. */
  interrupt: tell({ fenced: false, from: owner }),
  /** The same, for somebody who trains on with the roles in other places. */
  pause: tell({ fenced: false, from: owner }),
});

export const checkpointerProtocol = defineProtocol('checkpointer', {
  /** Writes a checkpoint of all roles; `step` data steps are done, of which `updateStep` changed parameters. */
  write: ask({
    from: [trainer],
    args: z.object({
      step: z.int(),
      updateStep: z.int(),
      evalLoss: z.number().nullable(),
      lossScale: lossScaleSchema.exactOptional(),
    }),
    reply: z.object({ path: z.string(), digest: z.string() }),
  }),
});
