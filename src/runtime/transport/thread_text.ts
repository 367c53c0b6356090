/**
 * Small frames as strings, a character a byte, and back. A string is posted between threads four times as cheaply as a
 * typed array of the same bytes (0.5 µs against 1.8 µs at 200 bytes), and costs no slot.
 */

import type { Encoded } from './codec.ts';

export class TextFrames {
  /** A view of the bytes that were sent last: mostly those of the codec's scratch, the same until it grows. */
  #sent: Buffer = Buffer.alloc(0);
  #received: Buffer = Buffer.alloc(2 ** 16);
  #view = new DataView(this.#received.buffer, this.#received.byteOffset);

  toText({ bytes, length }: Encoded): string {
    const { buffer, byteOffset } = bytes;
    if (buffer !== this.#sent.buffer || byteOffset !== this.#sent.byteOffset || length > this.#sent.length)
      this.#sent = Buffer.from(buffer, byteOffset, bytes.length);
    return this.#sent.toString('latin1', 0, length);
  }

  /** Lays `text` out in a scratch that lasts until the next. */
  open(text: string, into: Encoded): void {
    if (text.length > this.#received.length) {
      this.#received = Buffer.alloc(2 * text.length);
      this.#view = new DataView(this.#received.buffer, this.#received.byteOffset);
    }
    into.length = this.#received.write(text, 0, 'latin1');
    into.bytes = this.#received;
    into.view = this.#view;
    into.frame = null;
  }
}
