/** A router, of one layer and one stage rank, is told by its stage and by the expert groups of its layer. */
import { z } from 'zod';
import { defineProtocol, tell, tensorSchema } from '../../runtime/index.ts';
import { expertGroups, routers, stages } from './callers.ts';
import { unitSchema } from './pass.ts';
import { reduceMessages } from './reduce.ts';
import { rowsSchema } from './rows.ts';
import { parameterMessages } from './parameters.ts';
import { passMessages } from './report.ts';

const fromGroup = unitSchema.extend({ group: z.int(), rows: rowsSchema });

export const routerProtocol = defineProtocol('router', {
  ...parameterMessages,
  ...passMessages,
  ...reduceMessages(routers),
  /** h_RD: the normed rows of a microbatch. live_R is 0 where a row is padding; left out where none is. */
  route: tell({
    lane: 'data',
    from: [stages],
    args: unitSchema.extend({ live_R: tensorSchema.exactOptional(), rows: rowsSchema }),
  }),
  /** d_moe_RD: the gradient of the layer's output, times `lossScale`, which is 1 if left out. */
  combineGradient: tell({
    lane: 'data',
    from: [stages],
    args: unitSchema.extend({ lossScale: z.number().exactOptional(), rows: rowsSchema }),
  }),
  /** What a router of the mixture has chosen in a step, where the balance is of the whole batch. */
  load: tell({ from: [routers], args: z.object({ step: z.int(), counts: z.array(z.int()), live: z.int() }) }),
  /** Expert outputs of a group, in the order of the rows sent. */
  outputs: tell({ lane: 'data', from: [expertGroups], args: fromGroup }),
  /** Gradients of the rows sent to a group. */
  rowsGradient: tell({ lane: 'data', from: [expertGroups], args: fromGroup }),
});
