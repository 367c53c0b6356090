/**
 * Reads one file after another into the same memory. A corpus has thousands of files, and memory of its own for each
 * would lie about until it is collected.
 */
import { closeSync, openSync, readSync } from 'node:fs';

export class FileReader {
  #room = Buffer.alloc(2 ** 16);

  /** The whole file; what is returned is overwritten by the next. Throws what the file system says. */
  read(path: string): Buffer {
    const file = openSync(path, 'r');
    try {
      let length = 0;
      for (;;) {
        if (length === this.#room.length) this.#room = Buffer.concat([this.#room], 2 * length);
        const got = readSync(file, this.#room, length, this.#room.length - length, null);
        if (got === 0) return this.#room.subarray(0, length);
        length += got;
      }
    } finally {
      closeSync(file);
    }
  }
}
