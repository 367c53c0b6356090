/** Host data as Dawn takes it: whole words, and not in shared memory. */
import type { Data } from '../dtype.ts';

/** A view where it is one already, else a copy; what fills the last word is zero. */
export function inWords(data: Data): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const isWhole = bytes.length % 4 === 0;
  if (isWhole && bytes.buffer instanceof ArrayBuffer) return bytes as Uint8Array<ArrayBuffer>;
  const copy = new Uint8Array(Math.ceil(bytes.length / 4) * 4);
  copy.set(bytes);
  return copy;
}
