/**
 * A launcher and a node process say a few things to each other beside the actors' messages. The launcher writes lines
 * of JSON to the node's standard input, whose end is the end of the node; the node writes its news to a pipe of its
 * own, so that nothing that a library prints can be taken for news.
 */

import { z } from 'zod';

/** The first line of a node's input. It may hold secrets: a pipe shows them to nobody. */
export const nodeStartDataSchema = z.object({ name: z.string(), data: z.unknown() });
export type NodeStartData = z.infer<typeof nodeStartDataSchema>;

/** Each further line of a node's input. */
export const nodeOrderSchema = z.strictObject({ kind: z.literal('stop') });
export type NodeOrder = z.infer<typeof nodeOrderSchema>;

const flightEntrySchema = z.object({ address: z.string(), message: z.string(), id: z.number(), ms: z.number() });

/** Why a node ends that was not told to. */
export const nodeNewsSchema = z.object({
  kind: z.literal('failed'),
  tag: z.string(),
  error: z.string(),
  /** The last log lines of the thread that failed, and the last messages it handled; oldest first. */
  log: z.array(z.string()),
  flight: z.array(flightEntrySchema),
});
export type NodeNews = z.infer<typeof nodeNewsSchema>;

/** The node's file descriptor for its news. */
export const NEWS_FD = 3;
