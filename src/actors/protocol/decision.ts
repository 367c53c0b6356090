/**
 * A decision says what becomes of a step, and is the commit point: it is written to the decision store before anything
 * changes, and is all that a trainer knows. A step is committed or skipped, and both are applied by all; or it is run again or
 * the run goes back, and both open another timeline (`timeline.ts`), so that the step can be decided anew.
 */
import { z } from 'zod';
import { appliedDecisionSchema, type AppliedDecision } from './parameters.ts';

/** What remedies have left for good. */
export const amendmentSchema = z.object({
  /** Data steps that are passed over, from 0, in order. */
  skipped: z.array(z.int()).readonly(),
  /** What the learning rate of the schedule is multiplied by. */
  lrScale: z.number(),
});
export type Amendment = z.infer<typeof amendmentSchema>;

export const nothingAmended: Amendment = { skipped: [], lrScale: 1 };

export const decisionSchema = appliedDecisionSchema.extend({
  timeline: z.int(),
  verdict: z.enum(['commit', 'skip', 'again', 'rollback']),
  /** What the votes said, of a step that is committed: what later ones are compared with. Absent in old records. */
  loss: z.number().exactOptional(),
  gradNorm: z.number().exactOptional(),
  /** Of a rollback: the data steps that are done where it goes back to. */
  to: z.int().exactOptional(),
  /** Of a step that is run again: not where the suspect is. */
  elsewhere: z.literal(true).exactOptional(),
  /** On the timeline that this opens; absent where it opens none. */
  amend: amendmentSchema.exactOptional(),
});
export type Decision = z.infer<typeof decisionSchema>;

/** A decision as it is read: one of the first releases has no timeline, and is of timeline 0. */
export const storedDecisionSchema = decisionSchema.extend({ timeline: z.int().default(0) });

/** What of a decision all apply; null where it opens another timeline instead. */
export function appliedOf({ verdict, ...decision }: Decision): AppliedDecision | null {
  if (verdict !== 'commit' && verdict !== 'skip') return null;
  const { gen, step, updateStep, lr, clip, lossScale, overflowed } = decision;
  return {
    ...{ gen, step, verdict, updateStep, lr, clip },
    ...(lossScale === undefined ? {} : { lossScale }),
    ...(overflowed === undefined ? {} : { overflowed }),
  };
}

/** Data steps that are done where the timeline that a decision opens begins; null where it opens none. */
export function beginOf({ verdict, step, to }: Pick<Decision, 'verdict' | 'step' | 'to'>): number | null {
  if (verdict === 'again') return step;
  return verdict === 'rollback' ? (to ?? null) : null;
}
