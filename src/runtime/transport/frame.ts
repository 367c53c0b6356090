/**
 * Memory in which messages with tensors travel. A frame is leased from a pool, filled by the codec, read in place by the
 * receiver and goes back when all who hold it have let go. The pool is a port: ordinary memory within a thread, shared
 * memory between threads.
 */

import type { Lease } from '../system/delivery.ts';

export interface Frame extends Lease {
  /** The whole frame, at least as long as was asked for. */
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

export interface FramePool {
  /** A frame of at least `bytes` bytes with one lease on it. */
  lease(bytes: number): Frame;
  /** Frames that somebody holds. */
  readonly leased: number;
}

/** Where frames from other nodes are put together. */
export interface ArrivalPool extends FramePool {
  /** A frame with one lease that is `bytes` itself: what came whole need not be copied. They are the pool's from now on. */
  adopt(bytes: Uint8Array): Frame;
}

/** Frames that leave this thread's memory are lent as pieces: one after the other they are the frame's bytes. */
export type FramePieces = readonly Uint8Array[];

/** The bytes of the whole frame. */
export const piecesBytes = (pieces: FramePieces): number => pieces.reduce((sum, { length }) => sum + length, 0);

export interface HeapFramePoolOptions {
  /** Overwrite frames with 0xFF when they come back, so that a late reader reads NaN; for tests. */
  readonly poison?: boolean;
  /** Memory kept for later frames, in bytes; what is beyond is freed at once. Default 256 MiB. */
  readonly maxFreeBytes?: number;
}

const SMALLEST_BYTES = 4096;
const POISON = 0xff;

/** Frames in ordinary memory, in sizes of powers of two. */
export class HeapFramePool implements ArrivalPool {
  leased = 0;
  readonly poison: boolean;
  readonly #maxFreeBytes: number;
  readonly #free = new Map<number, HeapFrame[]>();
  #freeBytes = 0;

  constructor({ poison = false, maxFreeBytes = 2 ** 28 }: HeapFramePoolOptions = {}) {
    this.poison = poison;
    this.#maxFreeBytes = maxFreeBytes;
  }

  lease(bytes: number): Frame {
    const size = Math.max(SMALLEST_BYTES, 2 ** Math.ceil(Math.log2(bytes)));
    const known = this.#free.get(size)?.pop();
    if (known !== undefined) this.#freeBytes -= size;
    return this.#open(known ?? new HeapFrame(this, new Uint8Array(size), true));
  }

  adopt(bytes: Uint8Array): Frame {
    return this.#open(new HeapFrame(this, bytes, false));
  }

  /** Takes back a frame nobody holds. */
  takeBack(frame: HeapFrame): void {
    this.leased -= 1;
    const { byteLength } = frame.bytes;
    if (this.poison) frame.bytes.fill(POISON);
    if (!frame.isOurs) return;
    if (this.#freeBytes + byteLength > this.#maxFreeBytes) {
      // At once: the garbage collector looks only when much of such memory has piled up.
      frame.free();
      return;
    }
    this.#freeBytes += byteLength;
    const free = this.#free.get(byteLength);
    if (free === undefined) this.#free.set(byteLength, [frame]);
    else free.push(frame);
  }

  #open(frame: HeapFrame): HeapFrame {
    frame.retain();
    this.leased += 1;
    return frame;
  }
}

export class HeapFrame implements Frame {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** Made by the pool, and fit to be leased again. */
  readonly isOurs: boolean;
  readonly #pool: HeapFramePool;
  #holders = 0;

  constructor(pool: HeapFramePool, bytes: Uint8Array, isOurs: boolean) {
    this.#pool = pool;
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.isOurs = isOurs;
  }

  retain(): void {
    this.#holders += 1;
  }

  /** Gives its memory back to the system; its bytes are none from then on. */
  free(): void {
    if (this.bytes.buffer instanceof ArrayBuffer) this.bytes.buffer.transfer(0);
  }

  release(): void {
    if (this.#holders === 0) throw new RangeError('frame: released more often than retained; release each hold once');
    this.#holders -= 1;
    if (this.#holders === 0) this.#pool.takeBack(this);
  }
}
