/** The lines of a file of a record with their places in it, read piece by piece: such a file may be larger than memory. */
import { open } from 'node:fs/promises';

export interface RecordedLine {
  readonly text: string;
  /** From 1. */
  readonly line: number;
  /** Where it begins in the file, and bytes without the newline. */
  readonly at: number;
  readonly bytes: number;
}

const pieceBytes = 2 ** 20;
const newline = 10;

/** Every whole line; what follows the last newline was torn when a run was killed, and is none. */
export async function* recordedLines(path: string): AsyncGenerator<RecordedLine, void, void> {
  const file = await open(path);
  try {
    let [line, at] = [0, 0];
    let begun: Buffer[] = [];
    for await (const piece of file.createReadStream({ highWaterMark: pieceBytes, autoClose: false })) {
      let from = 0;
      const bytes = piece as Buffer;
      for (let end = bytes.indexOf(newline); end >= 0; end = bytes.indexOf(newline, from)) {
        const whole = Buffer.concat([...begun, bytes.subarray(from, end)]);
        yield { text: whole.toString('utf8'), line: ++line, at, bytes: whole.length };
        at += whole.length + 1;
        begun = [];
        from = end + 1;
      }
      begun.push(bytes.subarray(from));
    }
  } finally {
    await file.close();
  }
}
