/** A count of messages as `control_probe.ts` writes it down and `control_counts.ts` reads it: those of a kind between two actors. */
import { z } from 'zod';

export const countedRouteSchema = z.object({
  /** The outside of the system that was given the messages, which names it. */
  system: z.string(),
  lane: z.enum(['control', 'data']),
  kind: z.string(),
  message: z.string(),
  to: z.string(),
  from: z.string(),
  count: z.int(),
});
/** How many messages of a kind one actor was given by another. */
export type CountedRoute = z.infer<typeof countedRouteSchema>;
