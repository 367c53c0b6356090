/**
 * The assignment of a gen says who is in the run: which nodes in which of their lives, which of them leads, and which role
 * each worker has. It is written once, by compare-and-set, and never changed: whatever happens to a cluster (a node that
 * dies, joins or is drained, a broken link) is another assignment in a higher gen. Of two that would be made for one gen
 * the first stands, and so does the leader that it names.
 */
import { z } from 'zod';

export const assignmentSchema = z.strictObject({
  gen: z.int(),
  /** Names of the nodes, in order. */
  nodes: z.array(z.string()).min(1),
  /** The node that hosts the trainer. */
  leader: z.string(),
  /** The system that writes the run directory. */
  writer: z.string(),
  /** All systems, the writer among them. */
  systems: z.array(z.string()),
  /** System by role. */
  placement: z.record(z.string(), z.string()),
  /** Which life of each node is meant, and of the writer: others of the name are not heard. */
  incarnations: z.record(z.string(), z.int()),
});
export type Assignment = z.infer<typeof assignmentSchema>;
