/** The largest message of a run, and what has to have room for it: shared memory between threads, links between nodes. */
import { elements } from '../../kernels/shape.ts';
import { LINK_LIMITS, type LinkLimits } from '../../runtime/transport/link_limits.ts';
import { SLOTS, type SlotClass } from '../../runtime/index.ts';
import { SUM_PART_ELEMENTS } from '../../topology/index.ts';
import { storedNames } from '../parameters/rules.ts';
import type { Share } from '../parameters/share.ts';
import type { CastEntry } from './cast_entry.ts';

/** Bytes of the largest message, a power of two: rows of a microbatch, or what is said of an actor's parameters. */
export function largestMessageBytes(cast: readonly CastEntry[]): number {
  let largestBytes = 0;
  for (const { share, edges } of cast) {
    largestBytes = Math.max(largestBytes, share === null ? 0 : stateBytes(share));
    for (const { rowBytes, most, together } of edges()) {
      largestBytes = Math.max(largestBytes, rowBytes * Math.min(most, together));
    }
  }
  // Room for the header, and for the space between tensors.
  return 2 ** Math.ceil(Math.log2(largestBytes * 1.01 + 2 ** 16));
}

/** The usual slots, and a class above them where a message needs one; what is never touched takes no memory. */
export function slotsFor(largestBytes: number): readonly SlotClass[] {
  const usual = SLOTS[SLOTS.length - 1].bytes;
  return largestBytes > usual ? [...SLOTS, { bytes: largestBytes, count: 4 }] : SLOTS;
}

/** The usual limits, raised where a message needs it; as for the slots, four of the largest may be under way. */
export function linkLimitsFor(largestBytes: number): Partial<LinkLimits> {
  const { maxFrameBytes, maxPartialBytes, maxQueuedBytes } = LINK_LIMITS;
  return {
    maxFrameBytes: Math.max(maxFrameBytes, largestBytes),
    maxPartialBytes: Math.max(maxPartialBytes, 4 * largestBytes),
    maxQueuedBytes: Math.max(maxQueuedBytes, 4 * largestBytes),
  };
}

/** Largest message about what an actor holds: a piece of a gradient, or the largest parameter with all that is kept of it. */
function stateBytes({ holdings, optimizer }: Share): number {
  let largestBytes = 4 * SUM_PART_ELEMENTS;
  for (const holding of holdings) {
    const bytes = 4 * elements(holding.parameter.shape) * storedNames(holding, optimizer).length;
    largestBytes = Math.max(largestBytes, bytes);
  }
  return largestBytes;
}
