/** A pipeline stage is told to open a pass, and gets the streams of its routers and of other stages, and sums of gradients. */
import { z } from 'zod';
import { defineProtocol, itself, tell, tensorSchema } from '../../runtime/index.ts';
import { owner, routers, stages, trainer } from './callers.ts';
import { passSchema, unitSchema } from './pass.ts';
import { reduceMessages } from './reduce.ts';
import { rowsSchema } from './rows.ts';
import { parameterMessages } from './parameters.ts';
import { passMessages } from './report.ts';

export const openSchema = z.object({
  pass: passSchema,
  /** Global indices of this rank's microbatches. */
  microbatches: z.array(z.int()),
  /** To decode: the tokens so far, padded to the sequence length, and the position whose successor is wanted. */
  prompt: z.object({ tokens: tensorSchema, position: z.int() }).exactOptional(),
  /** To train: what all gradients of the pass are multiplied by; 1 if left out. */
  lossScale: z.number().exactOptional(),
  /** To score: whether the loss of each element is wanted beside their sums. */
  elements: z.literal(true).exactOptional(),
});
export type Open = z.infer<typeof openSchema>;

/** `name`: of the stream. */
const rowsOfStream = unitSchema.extend({ name: z.string(), rows: rowsSchema });

export const stageProtocol = defineProtocol('stage', {
  ...parameterMessages,
  ...passMessages,
  ...reduceMessages(stages),
  /** Data, so that a step which is opened behind the decision about the one before waits for it. To decode or score, the owner opens. */
  open: tell({ lane: 'data', from: [trainer, ...owner], args: openSchema }),
  /** Rows of a stream that another actor writes: a mixture's output, rows of another stage. */
  stream: tell({ lane: 'data', from: [routers, stages], args: rowsOfStream }),
  /** The gradient of a stream that another actor reads. */
  streamGradient: tell({ lane: 'data', from: [routers, stages], args: rowsOfStream }),
  /** The stage tells itself to take its next turn, behind the messages that are there. */
  goOn: tell({ lane: 'data', from: [itself] }),
});
