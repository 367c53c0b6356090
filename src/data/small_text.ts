/**
 * Text files that are read whole, such as a `tokenizer.json`: no larger than such a file is, whatever its name leads to,
 * and without the byte order mark that some editors put first.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { isMarkedUtf16, withoutMark } from './byte_order_mark.ts';

/** A tokenizer of 256 k tokens has some 35 MB. */
const MOST_BYTES = 2 ** 28;
const CHUNK_BYTES = 2 ** 20;

/** Throws what the file system says, or what is wrong with the text. */
export function readSmallText(path: string): string {
  const bytes = readUpTo(path, MOST_BYTES + 1);
  if (bytes.length > MOST_BYTES) throw new Error(`it has more than ${MOST_BYTES / 2 ** 20} MiB`);
  if (isMarkedUtf16(bytes)) throw new Error('it is UTF-16, not UTF-8 text');
  return withoutMark(bytes).toString('utf8');
}

function readUpTo(path: string, most: number): Buffer {
  const file = openSync(path, 'r');
  try {
    const parts: Buffer[] = [];
    for (let length = 0; length < most;) {
      const part = Buffer.allocUnsafe(CHUNK_BYTES);
      const got = readSync(file, part);
      if (got === 0) break;
      parts.push(part.subarray(0, got));
      length += got;
    }
    return Buffer.concat(parts);
  } finally {
    closeSync(file);
  }
}
