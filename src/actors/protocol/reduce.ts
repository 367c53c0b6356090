/**
 * Sums of gradients over all that hold the same parameters. Each replica sends the blocks of its own microbatches, chunk by chunk,
 * to the chunk's owner; the owner folds and sends the sum to all.
 */
import { z } from 'zod';
import { defineProtocol, tell, tensorSchema, type AddressPattern } from '../../runtime/index.ts';

const place = z.object({
  step: z.int(),
  /** Which flat arena of the parameter set, and which replica's chunk of it. */
  arena: z.int(),
  chunk: z.int(),
});

export const blockSchema = place.extend({ level: z.int(), index: z.int(), values: tensorSchema });
export type BlockMessage = z.infer<typeof blockSchema>;
export const sumSchema = place.extend({ values: tensorSchema });
export type SumMessage = z.infer<typeof sumSchema>;

/** The messages of a role with replicas, which are the actors at `replicas`. */
export const reduceMessages = (replicas: AddressPattern) => ({
  block: tell({ lane: 'data', from: [replicas], args: blockSchema }),
  sum: tell({ lane: 'data', from: [replicas], args: sumSchema }),
});

/** For a holder of parameters that speaks to those that it shares them with, whatever kind they are. */
export const sumsProtocol = defineProtocol('sums', reduceMessages('run/**'));
