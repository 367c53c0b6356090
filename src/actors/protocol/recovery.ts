/** What recovery is told: that a link of the run is broken, and by whoever lost an ask to a change of gen, to wait. */
import { z } from 'zod';
import { ask, defineProtocol, tell } from '../../runtime/index.ts';
import { nodes, owner } from './callers.ts';

export const recoveryProtocol = defineProtocol('recovery', {
  /** Data of `gen` did not all arrive. Reports of a gen that is over change nothing. */
  broken: tell({ fenced: false, from: [nodes], args: z.object({ gen: z.int(), what: z.string() }) }),
  /** Answered with the gen that all have entered, once no recovery is under way. */
  settled: ask({ fenced: false, from: owner, reply: z.int() }),
});
