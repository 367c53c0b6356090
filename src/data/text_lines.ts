/** The lines of a text file, as bytes: a line ends with a line feed, a carriage return before it or none, the last with the file. */

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/** The lines of bytes that begin with one, without their ends, as views. */
export function* linesOf(bytes: Buffer): Generator<Buffer> {
  for (let begin = 0; begin < bytes.length;) {
    const end = lineEnd(bytes, begin) ?? bytes.length + 1;
    yield bytes.subarray(begin, bytes[end - 2] === CARRIAGE_RETURN ? Math.max(begin, end - 2) : end - 1);
    begin = end;
  }
}

/** Where the next line begins, for a byte of this one; null where this one does not end. */
export function lineEnd(bytes: Buffer, from: number): number | null {
  const at = bytes.indexOf(LINE_FEED, from);
  return at < 0 ? null : at + 1;
}

/** Where bytes of several lines are cut between two: before `place`, or if its line began at their beginning, after that line. */
export function lineCut(bytes: Buffer, place: number): number | null {
  const before = bytes.lastIndexOf(LINE_FEED, place - 1);
  return before < 0 ? lineEnd(bytes, place) : before + 1;
}

/** How many lines end in bytes. */
export function lineCount(bytes: Buffer): number {
  let count = 0;
  for (let end = lineEnd(bytes, 0); end !== null; end = lineEnd(bytes, end)) count++;
  return count;
}

/** Whether a line has nothing but what JSON takes for white space. */
export function isBlank(line: Buffer): boolean {
  for (const byte of line) if (byte !== 0x20 && byte !== 0x09 && byte !== CARRIAGE_RETURN) return false;
  return true;
}

/** Whether all lines are. */
export function isBlankText(bytes: Buffer): boolean {
  for (const line of linesOf(bytes)) if (!isBlank(line)) return false;
  return true;
}
