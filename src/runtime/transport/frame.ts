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

export interface HeapFramePoolOptions {
  /** Overwrite frames with 0xFF when they come back, so that a late reader reads NaN; for tests. */
  readonly poison?: boolean;
  /** Memory kept for later frames, in bytes; default 256 MiB. */
  readonly maxFreeBytes?: number;
}

const SMALLEST_BYTES = 4096;
const POISON = 0xff;

/** Frames in ordinary memory, in sizes of powers of two. */
export class HeapFramePool implements FramePool {
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
    const frame = known ?? new HeapFrame(this, size);
    frame.retain();
    this.leased += 1;
    return frame;
  }

  /** Takes back a frame nobody holds. */
  takeBack(frame: HeapFrame): void {
    this.leased -= 1;
    const { byteLength } = frame.bytes;
    if (this.poison) frame.bytes.fill(POISON);
    if (this.#freeBytes + byteLength > this.#maxFreeBytes) return;
    this.#freeBytes += byteLength;
    const free = this.#free.get(byteLength);
    if (free === undefined) this.#free.set(byteLength, [frame]);
    else free.push(frame);
  }
}

export class HeapFrame implements Frame {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly view: DataView<ArrayBuffer>;
  readonly #pool: HeapFramePool;
  #holders = 0;

  constructor(pool: HeapFramePool, bytes: number) {
    this.#pool = pool;
    this.bytes = new Uint8Array(bytes);
    this.view = new DataView(this.bytes.buffer);
  }

  retain(): void {
    this.#holders += 1;
  }

  release(): void {
    if (this.#holders === 0) throw new RangeError('frame: released more often than retained; release each hold once');
    this.#holders -= 1;
    if (this.#holders === 0) this.#pool.takeBack(this);
  }
}
