/** What the actors of a pass report at its end: named sums, outputs by microbatch, and where tokens were routed. */
import { z } from 'zod';
import { ask, defineProtocol, tensorSchema } from '../../runtime/index.ts';
import { agents, owner } from './callers.ts';
import { passSchema } from './pass.ts';

/**
 * The sum of something over the elements of one microbatch, in their order, and the weight that it is over: a mean is
 * Σ sums / Σ weights. `corpus` is whose elements they are, and '' for those of all.
 */
export const sumSchema = z.object({
  name: z.string(),
  corpus: z.string(),
  microbatch: z.int(),
  sum: z.number(),
  weight: z.number(),
});
export type Sum = z.infer<typeof sumSchema>;

/** A tensor of a microbatch that whoever opened the pass asked for. */
export const outputSchema = z.object({ name: z.string(), microbatch: z.int(), tensor: tensorSchema });
export type Output = z.infer<typeof outputSchema>;

/** What one router did with one microbatch. Counts are of (token, choice) pairs; `load` is before dropping. */
export const routingReportSchema = z.object({
  /** Name of the mixture, and its number, which sums go by. */
  mixture: z.string(),
  order: z.int(),
  microbatch: z.int(),
  routed: z.int(),
  sent: z.int(),
  spilled: z.int(),
  dropped: z.int(),
  load: z.array(z.int()),
  auxLoss: z.number(),
  zLoss: z.number(),
  /** Rows that are no padding, and Σ over them of logsumexp(logits)². */
  tokens: z.int(),
  logitSquares: z.number(),
});
export type RoutingReport = z.infer<typeof routingReportSchema>;

export const passReportSchema = z.object({
  sums: z.array(sumSchema),
  outputs: z.array(outputSchema),
  routing: z.array(routingReportSchema),
});
export type PassReport = z.infer<typeof passReportSchema>;

export const emptyReport: PassReport = { sums: [], outputs: [], routing: [] };

/** The messages of every actor that has a part in passes beside training: a stage, a router. */
export const passMessages = {
  /** Answered when the actor has done its part of a pass that is not for training; the pass ends with it. */
  finish: ask({ from: [agents, ...owner], args: passSchema, reply: passReportSchema }),
};

/** For whoever speaks to an actor that has a part in passes without caring which kind it is. */
export const passProtocol = defineProtocol('pass', passMessages);
