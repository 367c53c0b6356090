/**
 * The messages of every actor that holds parameters, a stage, a router or an expert: the two phases of a step, in which a group
 * speaks for its experts, and its state for checkpoints. A vote says what it found; nothing changes before `apply`, and `apply`
 * may not fail.
 */
import { z } from 'zod';
import { ask, defineProtocol, tensorSchema } from '../../runtime/index.ts';
import { agents } from './callers.ts';
import { routingReportSchema, sumSchema } from './report.ts';

export const voteSchema = z.object({
  /** Sum of squares of each reduced gradient, by tensor; replicas leave it to the first of them. */
  squares: z.record(z.string(), z.number()),
  sums: z.array(sumSchema),
  routing: z.array(routingReportSchema),
  /** Rows that experts processed, by mixture. */
  processed: z.record(z.string(), z.int()),
  /** Milliseconds that rows waited for credit, by expert group. */
  creditWaitMs: z.record(z.string(), z.number()),
});
export type Vote = z.infer<typeof voteSchema>;

export const emptyVote: Vote = { squares: {}, sums: [], routing: [], processed: {}, creditWaitMs: {} };

/** What gradients are multiplied by while they are made, and the steps since it changed that did not overflow. */
export const lossScaleSchema = z.object({ scale: z.number(), cleanSteps: z.int() });
export type LossScale = z.infer<typeof lossScaleSchema>;

/** What all apply of a decision (`decision.ts`): it is written to the decision store first, then sent. */
export const appliedDecisionSchema = z.object({
  gen: z.int(),
  step: z.int(),
  verdict: z.enum(['commit', 'skip']),
  /** Number of the update that a commit makes, from 1 (Adam's bias correction). */
  updateStep: z.int(),
  lr: z.number(),
  /** What gradients are multiplied by; where they are scaled, this unscales them too. */
  clip: z.number(),
  /** After this step; only where gradients are scaled. */
  lossScale: lossScaleSchema.exactOptional(),
  /** Skipped for its scale: no incident. */
  overflowed: z.literal(true).exactOptional(),
});
export type AppliedDecision = z.infer<typeof appliedDecisionSchema>;

export const tensorsSchema = z.record(z.string(), tensorSchema);

/** Values of a parameter, or of what a rule keeps of one: all of them, or some of them, since a large one is no message. */
export const statePartSchema = z.object({
  name: z.string(),
  /** Of the whole. */
  shape: z.array(z.int()),
  /** The first of these elements in the whole. */
  at: z.int(),
  /** Flat. */
  values: tensorSchema,
});
export type StatePart = z.infer<typeof statePartSchema>;

/** A parameter comes from its first element on, and before what its rule keeps of it. */
export const restoreSchema = z.object({ parts: z.array(statePartSchema), dataStep: z.int() });

export const stepMessages = {
  /** Answered when the role has all gradients of the training step that is under way. */
  prepare: ask({ from: [agents], reply: voteSchema }),
  /** Idempotent: a decision of a step that was applied already changes nothing. */
  apply: ask({ from: [agents], args: appliedDecisionSchema }),
};

export const stateMessages = {
  /** The named parameters with their moments, of those that this role answers for: a few at a time. */
  save: ask({
    from: [agents],
    args: z.object({ parameters: z.array(z.string()) }),
    reply: z.object({ tensors: tensorsSchema }),
  }),
  /** Parts of parameters and of their moments, which are 0 where they are left out, and the step that they belong to. */
  restore: ask({ from: [agents], args: restoreSchema }),
  /** SHA-256 of each parameter that this role answers for. */
  digest: ask({ from: [agents], reply: z.record(z.string(), z.string()) }),
  /** Its gen is over: the pass under way is dropped, a gradient that was voted on is kept. Answers its data step. */
  abandon: ask({ from: [agents], reply: z.int() }),
  /** After `abandon`: applies the decision that others have applied already, or lets go of the gradient. */
  settle: ask({ from: [agents], args: z.object({ decision: appliedDecisionSchema.nullable() }) }),
};

export const parameterMessages = { ...stepMessages, ...stateMessages };

/** For whoever speaks to a holder of parameters without caring which kind it is. */
export const stateProtocol = defineProtocol('state', stateMessages);

/** For whoever has a step voted on and applied, by a holder or by who speaks for several. */
export const stepProtocol = defineProtocol('step', stepMessages);

/** What a holder that speaks for itself answers. */
export const parametersProtocol = defineProtocol('parameters', parameterMessages);
