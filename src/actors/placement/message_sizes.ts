/** The largest message of a run, and what has to have room for it: shared memory between threads, links between nodes. */
import { elements } from '../../kernels/shape.ts';
import type { Parameter } from '../../models/parameter.ts';
import { LINK_LIMITS, type LinkLimits } from '../../runtime/cluster/nats.ts';
import { SLOTS, type SlotClass } from '../../runtime/index.ts';
import type { CastEntry } from './cast_entry.ts';

/** Bytes of the largest message, a power of two: rows of a microbatch, or what is said of a role's parameters. */
export function largestMessageBytes(cast: readonly CastEntry[]): number {
  let largestBytes = 0;
  for (const { parameters, edges } of cast) {
    largestBytes = Math.max(largestBytes, stateBytes(parameters));
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

/** Largest message about a role's parameters: one gradient of all of them, or the largest with its two moments. */
function stateBytes(parameters: readonly Parameter[]): number {
  const sizes = parameters.map(({ shape }) => 4 * elements(shape));
  const total = sizes.reduce((sum, bytes) => sum + bytes, 0);
  return Math.max(total, 3 * Math.max(0, ...sizes));
}
