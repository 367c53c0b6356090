/** Appending a line to a log so that it is there whole or not at all, also when the disk fills up in the middle. */
import { fstatSync, ftruncateSync, writeSync } from 'node:fs';

/** Writes `line` and a newline at the end of an open file. What fails leaves the file as it was, and throws. */
export function appendLine(file: number, line: string): void {
  const bytes = Buffer.from(`${line}\n`);
  const { size } = fstatSync(file);
  try {
    for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at);
  } catch (error) {
    ftruncateSync(file, size);
    throw error;
  }
}
