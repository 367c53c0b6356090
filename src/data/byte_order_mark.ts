/**
 * The byte order mark that some editors write before a text. Before UTF-8 it says nothing and is no part of the text;
 * before UTF-16 it tells that the file has to be saved otherwise.
 */

const MARK = Buffer.from('\ufeff');

/** The bytes of the mark of UTF-8. */
export const MARK_BYTES = MARK.length;

/** Whether UTF-8 text begins with the mark. */
export const isMarked = (bytes: Buffer): boolean => bytes.subarray(0, MARK.length).equals(MARK);

/** The text after its mark, as a view; all of it where there is none. */
export const withoutMark = (bytes: Buffer): Buffer => (isMarked(bytes) ? bytes.subarray(MARK.length) : bytes);

/**
 * Whether a file is UTF-16 text, from its first bytes, an even number of them unless they are all: it has that mark, and
 * what follows could be text. Binary files that begin with the same two bytes soon have half a surrogate pair.
 */
export function isMarkedUtf16(start: Buffer): boolean {
  const isLittle = start[0] === 0xff && start[1] === 0xfe;
  const isBig = start[0] === 0xfe && start[1] === 0xff;
  if (!isLittle && !isBig) return false;
  if (start.length % 2 !== 0) return false;
  try {
    new TextDecoder(isLittle ? 'utf-16le' : 'utf-16be', { fatal: true }).decode(start, { stream: true });
    return true;
  } catch {
    return false;
  }
}
