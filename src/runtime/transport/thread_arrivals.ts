/**
 * Memory for frames that come from other nodes to a node's main thread. What comes in parts is put together in a slot,
 * and can pass on to another thread from there; what came whole stays where it is. Ordinary memory takes what is small,
 * since that mostly passes as text, and what fits no slot, which actors of the main thread can read.
 */

import type { ArrivalPool, Frame, HeapFramePool } from './frame.ts';
import type { SharedPool } from './shared_pool.ts';

const SMALL_BYTES = 4096;

export class ThreadArrivals implements ArrivalPool {
  readonly #shared: SharedPool;
  readonly #heap: HeapFramePool;

  constructor(shared: SharedPool, heap: HeapFramePool) {
    this.#shared = shared;
    this.#heap = heap;
  }

  get leased(): number {
    return this.#shared.leased + this.#heap.leased;
  }

  /** Throws `SlotsExhausted`. */
  lease(bytes: number): Frame {
    const isForSlot = bytes > SMALL_BYTES && bytes <= this.#shared.maxBytes;
    return isForSlot ? this.#shared.lease(bytes) : this.#heap.lease(bytes);
  }

  adopt(bytes: Uint8Array): Frame {
    return this.#heap.adopt(bytes);
  }
}
