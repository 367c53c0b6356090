/**
 * The agent of a system (a thread of a node, or the launcher) is asked for all in it that hold parameters, so that control
 * messages go by system and not by expert. It lets the system enter a gen, sees to it that its roles agree on what has been
 * applied, and says what its counters and its device have. What changes the gen is not fenced by it.
 */
import { z } from 'zod';
import { ask, defineProtocol } from '../../runtime/index.ts';
import { checkpointer, owner, recovery, trainer } from './callers.ts';
import { assignmentSchema } from './assignment.ts';
import { appliedDecisionSchema, restoreSchema, tensorsSchema } from './parameters.ts';
import { passSchema } from './pass.ts';
import { passReportSchema, routingReportSchema, sumSchema } from './report.ts';

/** What a system counts, from its start. */
export const reportSchema = z.object({
  /** Bytes sent, by transport. */
  bytesSent: z.record(z.string(), z.number()),
  /** Frames with tensors that somebody holds; 0 between steps. */
  leased: z.int(),
  /** CPU time of its thread, in milliseconds. */
  cpuMs: z.number(),
});
export type SystemReport = z.infer<typeof reportSchema>;

/** What the device of a system found out by timing. */
export const tuningSchema = z.object({
  /** Of its adapter and driver; what was found out holds for these. */
  numericsClass: z.string(),
  /** Names of forms, by what they were chosen for. */
  choices: z.record(z.string(), z.string()),
});
export type DeviceTuning = z.infer<typeof tuningSchema>;

/** What the holders of a system found in a training step, added up. */
export const systemVoteSchema = z.object({
  /** Sums of squares of the tensors that they answer for, holder by holder in the order of the cast. */
  squares: z.array(z.number()),
  sums: z.array(sumSchema),
  routing: z.array(routingReportSchema),
  /** Rows that experts processed, by mixture. */
  processed: z.record(z.string(), z.int()),
  /** Milliseconds that rows waited for credit, by expert group. */
  creditWaitMs: z.record(z.string(), z.number()),
});
export type SystemVote = z.infer<typeof systemVoteSchema>;

export const agentProtocol = defineProtocol('agent', {
  /** Answered when all that hold parameters here have voted on the training step that is under way. */
  vote: ask({ from: [trainer], reply: systemVoteSchema }),
  /** Answered when all that have a part in the pass here have done it; not for training. */
  finish: ask({ from: [trainer, ...owner], args: passSchema, reply: passReportSchema }),
  /** Answered when all that hold parameters here have applied the decision, with what the system has counted by then. */
  apply: ask({ from: [trainer], args: appliedDecisionSchema, reply: reportSchema }),
  /** The named parameters with their moments, of those that holders here answer for, in the order of the names: a few at a time. */
  save: ask({
    from: [checkpointer],
    args: z.object({ parameters: z.array(z.string()) }),
    reply: z.object({ tensors: tensorsSchema }),
  }),
  /** Parts of parameters, with their moments or without, for all here that hold them, and the step that they belong to. */
  restore: ask({ from: owner, args: restoreSchema }),
  /** SHA-256 of each parameter that holders here answer for, in the order of the cast. */
  digest: ask({ from: [checkpointer, ...owner], reply: z.array(z.string()) }),
  /**
   * Enters `gen`, and takes its part in the assignment where roles are placed anew. Answered with the data step of each
   * holder once all have dropped the pass under way; of a holder that was made anew that is 0.
   */
  enter: ask({
    fenced: false,
    from: [recovery, ...owner],
    args: z.object({ gen: z.int(), assignment: assignmentSchema.nullable() }),
    reply: z.array(z.int()),
  }),
  /** Has its roles apply the decision that stands, or let go of what they voted on. */
  settle: ask({
    fenced: false,
    from: [recovery, ...owner],
    args: z.object({ gen: z.int(), decision: appliedDecisionSchema.nullable() }),
  }),
  report: ask({ fenced: false, from: [trainer], reply: reportSchema }),
  /** Null where the device timed nothing, and where there is none. */
  tuning: ask({ fenced: false, from: owner, reply: tuningSchema.nullable() }),
});
