/** What the bench of threads tells and asks the actor on the other thread. */

import { z } from 'zod';
import { ask, defineProtocol, tell, tensorSchema } from '../src/runtime/index.ts';

export const benchProtocol = defineProtocol('bench-threads', {
  put: tell({ lane: 'data', args: z.object({ x: tensorSchema }) }),
  /** Behind all that was put: the sum of the first elements since the last time. */
  drained: ask({ lane: 'data', reply: z.number() }),
  ping: ask({ args: z.object({ n: z.number() }), reply: z.number() }),
});
