/**
 * The frames that one thread sends in: a fixed number of shared-memory slots, taken by that thread alone and freed by
 * whoever received them, each with one atomic store. Allocated once, since fresh SharedArrayBuffers leak. When no slot is
 * free the frame goes into ordinary memory that is transferred: nothing waits, nothing is lost, order stays. That
 * overflow is counted and bounded; beyond it the sender gets `SlotsExhausted`.
 */

import type { FramePool } from './frame.ts';
import { NO_SLOT, SharedFrame, type FrameHome } from './shared_frame.ts';
import { FREE, LEASED, placeOf, planSlots, SLOTS, Word, type SlotClass, type SlotPlan } from './shared_slots.ts';
import { MessageTooLarge, SlotsExhausted } from './thread_errors.ts';
import { TENSOR_ALIGN } from './wire.ts';

export interface SharedPoolOptions {
  /** Classes of slots of each thread, in rising order; default `SLOTS`. */
  readonly slots?: readonly SlotClass[];
  /** Bytes that may wait in ordinary memory when all slots are out, a thread; default 256 MiB. */
  readonly maxOverflowBytes?: number;
  /** Overwrite frames with 0xFF when they come back, so that a late reader reads NaN; for tests. */
  readonly poison?: boolean;
}

/** The memory of one thread's pool, as it is given to all threads. */
export interface SharedMemory {
  /** The thread that sends from it. */
  readonly owner: string;
  readonly memory: SharedArrayBuffer;
  readonly slots: readonly SlotClass[];
  readonly maxOverflowBytes: number;
  readonly poison: boolean;
}

const POISON = 0xff;

/** Allocates the memory of `owner`'s pool. Throws `InvalidSlots`. */
export function createSharedMemory(owner: string, options: SharedPoolOptions = {}): SharedMemory {
  const { slots = SLOTS, maxOverflowBytes = 2 ** 28, poison = false } = options;
  return { owner, memory: new SharedArrayBuffer(planSlots(slots).totalBytes), slots, maxOverflowBytes, poison };
}

export class SharedPool implements FramePool, FrameHome {
  /** Frames that this thread sent in ordinary memory because no slot was free. */
  overflows = 0;
  readonly #shared: SharedMemory;
  readonly #plan: SlotPlan;
  readonly #words: Int32Array;
  /** Made when first used, by slot. */
  readonly #frames: SharedFrame[] = [];

  constructor(shared: SharedMemory) {
    this.#shared = shared;
    this.#plan = planSlots(shared.slots);
    this.#words = new Int32Array(shared.memory, 0, Word.firstSlot + this.#plan.slots);
  }

  /** Of the largest slot. */
  get maxBytes(): number {
    return this.#plan.maxBytes;
  }

  /** Frames sent from this memory that some thread holds. */
  get leased(): number {
    let leased = Atomics.load(this.#words, Word.overflowFrames);
    for (let slot = 0; slot < this.#plan.slots; slot++) {
      if (Atomics.load(this.#words, Word.firstSlot + slot) !== FREE) leased += 1;
    }
    return leased;
  }

  /** Bytes sent in ordinary memory that some thread holds. */
  get overflowBytes(): number {
    return Atomics.load(this.#words, Word.overflowUnits) * TENSOR_ALIGN;
  }

  /** For the owner only. Throws `MessageTooLarge`, `SlotsExhausted`. */
  lease(bytes: number): SharedFrame {
    const { classes, maxBytes } = this.#plan;
    if (bytes > maxBytes) throw new MessageTooLarge(this.#shared.owner, bytes, maxBytes);
    const fitting = classes.findIndex((planned) => planned.bytes >= bytes);
    // A frame may take a slot of the next class, but not eat up those of the largest.
    for (const { first, count } of classes.slice(fitting, fitting + 2)) {
      const slot = this.#takeFree(first, count);
      if (slot !== NO_SLOT) return this.frame(slot);
    }
    return this.#overflow(bytes);
  }

  /** The frame of slot `slot`, as it was leased or has arrived. */
  frame(slot: number): SharedFrame {
    const known = this.#frames[slot];
    if (known !== undefined) return known.open();
    const { offset, bytes } = placeOf(this.#plan, slot);
    const frame = new SharedFrame(this, slot, new Uint8Array(this.#shared.memory, offset, bytes));
    this.#frames[slot] = frame;
    return frame.open();
  }

  /** A frame that has arrived in ordinary memory. */
  overflowed(bytes: Uint8Array): SharedFrame {
    return new SharedFrame(this, NO_SLOT, bytes).open();
  }

  takeBack({ slot, bytes }: SharedFrame): void {
    if (this.#shared.poison) bytes.fill(POISON);
    if (slot !== NO_SLOT) {
      Atomics.store(this.#words, Word.firstSlot + slot, FREE);
      return;
    }
    Atomics.sub(this.#words, Word.overflowFrames, 1);
    Atomics.sub(this.#words, Word.overflowUnits, bytes.length / TENSOR_ALIGN);
  }

  /** The lowest free slot, since it was used last and lies in the cache. */
  #takeFree(first: number, count: number): number {
    for (let slot = first; slot < first + count; slot++) {
      if (Atomics.load(this.#words, Word.firstSlot + slot) !== FREE) continue;
      Atomics.store(this.#words, Word.firstSlot + slot, LEASED);
      return slot;
    }
    return NO_SLOT;
  }

  #overflow(bytes: number): SharedFrame {
    const { owner, maxOverflowBytes } = this.#shared;
    const units = Math.ceil(bytes / TENSOR_ALIGN);
    const { overflowBytes } = this;
    if (overflowBytes + units * TENSOR_ALIGN > maxOverflowBytes)
      throw new SlotsExhausted(owner, bytes, overflowBytes, maxOverflowBytes);
    Atomics.add(this.#words, Word.overflowFrames, 1);
    Atomics.add(this.#words, Word.overflowUnits, units);
    this.overflows += 1;
    return new SharedFrame(this, NO_SLOT, new Uint8Array(units * TENSOR_ALIGN)).open();
  }
}
