/**
 * The floor plan of a thread's shared memory: a header of 32-bit words (one a slot: free or leased), then slots in
 * classes of powers of two, each slot 64-byte-aligned. It is planned once; every thread computes the same plan.
 */

import { InvalidSlots } from './thread_errors.ts';
import { alignUp } from './wire.ts';

/** `count` slots of `bytes` bytes. */
export interface SlotClass {
  readonly bytes: number;
  readonly count: number;
}

/** 126 MiB of address space a thread; what is never touched takes no memory. */
export const SLOTS: readonly SlotClass[] = [
  { bytes: 2 ** 12, count: 64 },
  { bytes: 2 ** 14, count: 64 },
  { bytes: 2 ** 16, count: 64 },
  { bytes: 2 ** 18, count: 32 },
  { bytes: 2 ** 20, count: 16 },
  { bytes: 2 ** 22, count: 8 },
  { bytes: 2 ** 24, count: 4 },
];

/** Words of the header: frames and 64-byte units that overflow, then the state of each slot. */
export const Word = { overflowFrames: 0, overflowUnits: 1, firstSlot: 2 } as const;

export const FREE = 0;
export const LEASED = 1;

/** Where the slots of a class are: slots `first` to `first + count - 1`, from byte `offset` on. */
export interface PlannedClass extends SlotClass {
  readonly first: number;
  readonly offset: number;
}

export interface SlotPlan {
  readonly classes: readonly PlannedClass[];
  readonly slots: number;
  readonly maxBytes: number;
  /** Of header and slots. */
  readonly totalBytes: number;
}

/** Lays out slots; throws `InvalidSlots`. */
export function planSlots(slots: readonly SlotClass[]): SlotPlan {
  const total = slots.reduce((sum, { count }) => sum + count, 0);
  let offset = alignUp(4 * (Word.firstSlot + total));
  let first = 0;
  let maxBytes = 0;
  const classes = slots.map(({ bytes, count }) => {
    check(bytes, count, maxBytes);
    const planned = { bytes, count, first, offset };
    offset += bytes * count;
    first += count;
    maxBytes = bytes;
    return planned;
  });
  if (maxBytes === 0) throw new InvalidSlots('there are none');
  return { classes, slots: total, maxBytes, totalBytes: offset };
}

/** Byte offset and size of slot `slot`. */
export function placeOf({ classes }: SlotPlan, slot: number): { readonly offset: number; readonly bytes: number } {
  const planned = classes.find(({ first, count }) => slot >= first && slot < first + count);
  if (planned === undefined) throw new RangeError(`slot ${slot} is not in the plan`);
  return { offset: planned.offset + (slot - planned.first) * planned.bytes, bytes: planned.bytes };
}

function check(bytes: number, count: number, previousBytes: number): void {
  if (!Number.isInteger(Math.log2(bytes)) || bytes < 2 ** 10 || bytes > 2 ** 30)
    throw new InvalidSlots(`a class of ${bytes} bytes`);
  if (!Number.isInteger(count) || count < 1) throw new InvalidSlots(`a class of ${count} slots`);
  if (bytes <= previousBytes) throw new InvalidSlots(`${bytes} bytes after ${previousBytes}`);
}
