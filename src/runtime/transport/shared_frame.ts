/**
 * A frame that passes between threads: a slot of shared memory, or, when all slots are out, ordinary memory that is
 * transferred. The sender fills it and hands it over; from then on only the receiver counts who holds it, and the last
 * to let go gives it back to the pool of the sender.
 */

import type { Frame } from './frame.ts';

/** Where a frame goes when nobody holds it. */
export interface FrameHome {
  takeBack(frame: SharedFrame): void;
}

/** The slot of frames in ordinary memory. */
export const NO_SLOT = -1;

export class SharedFrame implements Frame {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** The number of the slot; `NO_SLOT` if the memory is not shared. */
  readonly slot: number;
  readonly #home: FrameHome;
  #holders = 0;

  constructor(home: FrameHome, slot: number, bytes: Uint8Array) {
    this.#home = home;
    this.slot = slot;
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** The one lease with which a frame comes, at the sender and again at the receiver. */
  open(): this {
    this.#holders = 1;
    return this;
  }

  /** The frame has been sent: this thread has no more say in it. */
  handOver(): void {
    this.#holders = 0;
  }

  retain(): void {
    this.#holders += 1;
  }

  release(): void {
    if (this.#holders === 0) throw new RangeError('frame: released more often than retained; release each hold once');
    this.#holders -= 1;
    if (this.#holders === 0) this.#home.takeBack(this);
  }
}
