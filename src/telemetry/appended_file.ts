/**
 * A log that grows by lines: each is there whole or not at all, also when the disk fills up in the middle, and after a
 * crash. What the disk refuses is said with the file's path and what to do.
 */
import { closeSync, fstatSync, fsyncSync, ftruncateSync, openSync, readFileSync, readSync, writeSync } from 'node:fs';
import { LogIo } from './errors.ts';

/** A file that only grows. What cannot be written leaves it as it was. */
export class AppendedFile {
  readonly path: string;
  /** For `fsync`. */
  readonly descriptor: number;
  #isOpen = true;

  /** Opens or creates the file; a last line that a crash tore is cut off. Throws `LogIo`. */
  constructor(path: string) {
    this.path = path;
    this.descriptor = writing(path, () => {
      const descriptor = openSync(path, 'a+');
      const { size } = fstatSync(descriptor);
      const whole = wholeBytes(descriptor, size);
      if (whole < size) ftruncateSync(descriptor, whole);
      return descriptor;
    });
  }

  /** Writes `line` and a newline at the end. Throws `LogIo`. */
  append(line: string): void {
    const bytes = Buffer.from(`${line}\n`);
    writing(this.path, () => {
      const { size } = fstatSync(this.descriptor);
      try {
        for (let at = 0; at < bytes.length;) at += writeSync(this.descriptor, bytes, at);
      } catch (error) {
        ftruncateSync(this.descriptor, size);
        throw error;
      }
    });
  }

  /** Returns once the lines would survive a loss of power. Throws `LogIo`. */
  sync(): void {
    writing(this.path, () => fsyncSync(this.descriptor));
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Once is enough: the system may have given the number to another file since. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    closeSync(this.descriptor);
  }
}

/** Bytes up to the last newline; what follows it was torn. */
function wholeBytes(descriptor: number, size: number): number {
  const block = Buffer.alloc(64 * 1024);
  for (let end = size; end > 0;) {
    const begin = Math.max(0, end - block.length);
    const read = readSync(descriptor, block, 0, end - begin, begin);
    const at = block.subarray(0, read).lastIndexOf('\n');
    if (at >= 0) return begin + at + 1;
    end = begin;
  }
  return 0;
}

/** The text of a log; throws `LogIo`. */
export function readLog(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new LogIo(path, 'read', cause);
  }
}

/** Writes to a log; what the system refuses becomes `LogIo`. */
export function writing<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (cause) {
    throw new LogIo(path, 'written', cause);
  }
}
