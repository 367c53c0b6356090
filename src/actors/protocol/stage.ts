/** What a pipeline stage is told: to open a pass, what its routers and its neighbours send, and sums of gradients. */
import { z } from 'zod';
import { defineProtocol, tell, tensorSchema } from '../../runtime/index.ts';
import { owner, routers, stages, trainer } from './callers.ts';
import { modes, unitSchema } from './pass.ts';
import { reduceMessages } from './reduce.ts';
import { rowsSchema } from './rows.ts';
import { parameterMessages } from './parameters.ts';

export const openSchema = z.object({
  mode: z.enum(modes),
  step: z.int(),
  /** Global indices of this rank's microbatches. */
  microbatches: z.array(z.int()),
  /** Generation only: the tokens so far, padded to the sequence length, and the position whose successor is wanted. */
  prompt: z.object({ tokens: tensorSchema, position: z.int() }).nullable(),
  /** Training only: what all gradients of the pass are multiplied by; 1 if left out. */
  lossScale: z.number().exactOptional(),
});
export type Open = z.infer<typeof openSchema>;

const rows = unitSchema.extend({ layer: z.int(), rows: rowsSchema });
const activations = unitSchema.extend({ rows: rowsSchema });

export const stageProtocol = defineProtocol('stage', {
  ...parameterMessages,
  ...reduceMessages(stages),
  /** To generate, the owner opens it. */
  open: tell({ from: [trainer, ...owner], args: openSchema }),
  /** moe_RD: a mixture layer's output for a microbatch. */
  combined: tell({ lane: 'data', from: [routers], args: rows }),
  /** d_h_RD: the gradient of what was handed to the router. */
  routed: tell({ lane: 'data', from: [routers], args: rows }),
  /** x_RD from the stage before, d_x_RD from the stage behind. */
  activations: tell({ lane: 'data', from: [stages], args: activations }),
  activationsGradient: tell({ lane: 'data', from: [stages], args: activations }),
});
