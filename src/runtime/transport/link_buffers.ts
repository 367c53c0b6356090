/**
 * Memory for the chunks of data that leave. A buffer is taken, written once, lent to the NATS client, who may read it until
 * a flush that came after is confirmed, and taken again: fresh memory costs more than the copy into it. Those used last are
 * taken first, since they lie in the cache. There is room around each for what makes it a message.
 */

import { Room } from './nats_message.ts';

interface Lent {
  readonly buffer: Buffer;
  /** The mark of the flush window from which on the client is done with it. */
  readonly mark: number;
}

const SMALLEST_BYTES = 4096;
/** Kept for later chunks. */
const MAX_FREE_BYTES = 64 * 2 ** 20;

export class LinkBuffers {
  readonly #free = new Map<number, ArrayBufferLike[]>();
  #freeBytes = 0;
  /** In the order of their marks. */
  #lent: Lent[] = [];

  /** A buffer of `bytes` bytes, with anything in it. */
  readonly take = (bytes: number): Buffer => {
    const size = sizeFor(Room.before + bytes + Room.after);
    const known = this.#free.get(size)?.pop();
    if (known !== undefined) this.#freeBytes -= size;
    return Buffer.from(known ?? new ArrayBuffer(size), Room.before, bytes);
  };

  /** Nobody reads `buffer` any more. */
  giveBack({ buffer: memory }: Buffer): void {
    const { byteLength } = memory;
    if (this.#freeBytes + byteLength > MAX_FREE_BYTES) return;
    this.#freeBytes += byteLength;
    const free = this.#free.get(byteLength);
    if (free === undefined) this.#free.set(byteLength, [memory]);
    else free.push(memory);
  }

  /** `buffer` is free again when `mark` is confirmed. */
  lend(buffer: Buffer, mark: number): void {
    this.#lent.push({ buffer, mark });
  }

  confirmed(mark: number): void {
    const first = this.#lent.findIndex((lent) => lent.mark > mark);
    const done = this.#lent.splice(0, first === -1 ? this.#lent.length : first);
    for (const { buffer } of done) this.giveBack(buffer);
  }

  /** Whether the client still reads what was lent, nobody can say: it is left to the garbage collector. */
  forget(): void {
    this.#lent = [];
  }
}

/** Four sizes an octave, so that at most a fifth of a buffer is unused. */
function sizeFor(bytes: number): number {
  if (bytes <= SMALLEST_BYTES) return SMALLEST_BYTES;
  const step = 2 ** (Math.floor(Math.log2(bytes)) - 2);
  return Math.ceil(bytes / step) * step;
}
