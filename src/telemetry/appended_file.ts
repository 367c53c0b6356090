/**
 * A log that grows by lines: each is there whole or not at all, also when the disk fills up in the middle. What the disk
 * refuses is said with the file's path and what to do.
 */
import { closeSync, fstatSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import { LogIo } from './errors.ts';

/** A file that only grows. What cannot be written leaves it as it was. */
export class AppendedFile {
  readonly path: string;
  /** For `fsync`. */
  readonly descriptor: number;
  #isOpen = true;

  /** Opens or creates the file. Throws `LogIo`. */
  constructor(path: string) {
    this.path = path;
    this.descriptor = writing(path, () => openSync(path, 'a'));
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
