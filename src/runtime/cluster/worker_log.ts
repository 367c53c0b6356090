/**
 * The log of a worker keeps its last lines in shared memory, so that the main thread can read them when the worker
 * hangs or is gone. It has a fixed number of rows of fixed width; longer lines are cut.
 */

const ROWS = 64;
const ROW_BYTES = 256;

export const createLogMemory = (): SharedArrayBuffer => new SharedArrayBuffer(4 + ROWS * ROW_BYTES);

export class WorkerLog {
  readonly #count: Int32Array;
  readonly #rows: Uint8Array;

  constructor(memory: SharedArrayBuffer) {
    this.#count = new Int32Array(memory, 0, 1);
    this.#rows = new Uint8Array(memory, 4);
  }

  write(line: string): void {
    const at = (this.#count[0] % ROWS) * ROW_BYTES;
    const row = this.#rows.subarray(at, at + ROW_BYTES);
    // A whole character that does not fit is left out; the rest of the row stays zero.
    row.fill(0);
    encoder.encodeInto(line, row);
    this.#count[0] += 1;
  }

  /** The lines that are kept, oldest first. */
  lines(): string[] {
    const [count] = this.#count;
    const length = Math.min(count, ROWS);
    return Array.from({ length }, (_, i) => {
      const at = ((count - length + i) % ROWS) * ROW_BYTES;
      const row = Buffer.from(this.#rows.slice(at, at + ROW_BYTES));
      const end = row.indexOf(0);
      return row.toString('utf8', 0, end === -1 ? ROW_BYTES : end);
    });
  }
}

const encoder = new TextEncoder();
