/**
 * Sums of gradients over all that hold the same parameters. A flat arena is summed in pieces: every sharer sends the blocks of its
 * own microbatches, piece by piece, to the piece's owner; the owner folds them and sends the sum to all others, which tells them,
 * too, that they may send it another piece. No message says its step: a sharer votes on a step with the sums of all in hand, so
 * what comes behind its vote is of the next one, and what is left of a step that was given up is of a former gen.
 */
import { z } from 'zod';
import { defineProtocol, tell, tensorSchema, type AddressPattern } from '../../runtime/index.ts';

const place = z.object({
  /** The bucket's name, and the part of its arena that the piece is of. */
  bucket: z.string(),
  part: z.int(),
});

/** A block of the receiver's piece of a part. */
export const blockSchema = place.extend({ level: z.int(), index: z.int(), values: tensorSchema });
export type BlockMessage = z.infer<typeof blockSchema>;
/** The sum of the piece that the sharer of rank `owner` has of a part. */
export const sumSchema = place.extend({ owner: z.int(), values: tensorSchema });
export type SumMessage = z.infer<typeof sumSchema>;

/** The messages of a role with sharers, which are the actors at `sharers`. */
export const reduceMessages = (sharers: AddressPattern) => ({
  block: tell({ lane: 'data', from: [sharers], args: blockSchema }),
  sum: tell({ lane: 'data', from: [sharers], args: sumSchema }),
});

/** For a holder of parameters that speaks to those that it shares them with, whatever kind they are. */
export const sumsProtocol = defineProtocol('sums', reduceMessages('run/**'));
