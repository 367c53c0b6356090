/** Whether bytes that arrive in pieces, cut anywhere, are UTF-8. */
import { isUtf8 } from 'node:buffer';

export class Utf8Check {
  /** The first bytes of a character whose others are to come. */
  #begun = Buffer.alloc(0);

  /** False where this piece, after those before it, is none. */
  accepts(piece: Buffer): boolean {
    const missing = this.#begun.length === 0 ? 0 : bytesOfCharacter(this.#begun[0]) - this.#begun.length;
    const head = Buffer.concat([this.#begun, piece.subarray(0, missing)]);
    if (piece.length < missing) {
      this.#begun = head;
      return true;
    }
    const rest = piece.subarray(missing);
    const end = rest.length - unfinished(rest);
    this.#begun = Buffer.from(rest.subarray(end));
    return isUtf8(head) && isUtf8(rest.subarray(0, end));
  }

  /** Whether the last character is whole. */
  get isWhole(): boolean {
    return this.#begun.length === 0;
  }
}

/** Bytes at the end that begin a character and do not finish it. */
function unfinished(bytes: Buffer): number {
  for (let count = 1; count <= Math.min(3, bytes.length); count++) {
    const byte = bytes[bytes.length - count];
    if (byte >= 0xc0) return bytesOfCharacter(byte) > count ? count : 0;
    if (byte < 0x80) return 0;
  }
  return 0;
}

/** By its first byte; one that begins none is refused when it is checked. */
function bytesOfCharacter(first: number): number {
  if (first < 0xc0) return 1;
  return first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}
