/**
 * Text files that are read whole, such as a `tokenizer.json` or a topology: no larger than such a file is, whatever its
 * name leads to, and for a tokenizer without the byte order mark that some editors put first.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { isMarkedUtf16, withoutMark } from './byte_order_mark.ts';

/** A tokenizer of 256 k tokens has some 35 MB. */
const MOST_BYTES = 2 ** 28;
const CHUNK_BYTES = 2 ** 20;

/** Throws what the file system says, or what is wrong with the text. */
export function readSmallText(path: string): string {
  const bytes = readUpTo(path, MOST_BYTES);
  if (bytes === null) throw new Error(`it has more than ${MOST_BYTES / 2 ** 20} MiB`);
  if (isMarkedUtf16(bytes)) throw new Error('it is UTF-16, not UTF-8 text');
  return withoutMark(bytes).toString('utf8');
}

/** The bytes of a file, which may be anything; null where it has more than `mostBytes`. Throws what the file system says. */
export function readUpTo(path: string, mostBytes: number): Buffer | null {
  const file = openSync(path, 'r');
  try {
    const parts: Buffer[] = [];
    for (let length = 0; ;) {
      const part = Buffer.allocUnsafe(CHUNK_BYTES);
      const got = readSync(file, part);
      if (got === 0) return Buffer.concat(parts);
      parts.push(part.subarray(0, got));
      length += got;
      if (length > mostBytes) return null;
    }
  } finally {
    closeSync(file);
  }
}
