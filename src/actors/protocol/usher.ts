/**
 * The usher of a system (a thread of a node, or the launcher): lets it enter a gen, sees to it that its roles agree on
 * what has been applied, and reads its counters. None of it is fenced by gen, since it is what changes the gen.
 */
import { z } from 'zod';
import { ask, defineProtocol } from '../../runtime/index.ts';
import { decisionSchema } from './stateful.ts';

export const usherProtocol = defineProtocol('usher', {
  /** Enters `gen`; answered with the data steps of its roles once all of them have dropped the pass under way. */
  enter: ask({ fenced: false, args: z.object({ gen: z.int() }), reply: z.array(z.int()) }),
  /** Has its roles apply the decision that stands, or let go of what they voted on. */
  settle: ask({ fenced: false, args: z.object({ gen: z.int(), decision: decisionSchema.nullable() }) }),
  /** Bytes that this system has sent, by transport. */
  sent: ask({ fenced: false, reply: z.record(z.string(), z.number()) }),
});
