/**
 * Memory that a connection reads its socket into, again and again. By itself Node takes fresh memory for each read: at the
 * rate of tensors V8 then looks through the whole heap of a main thread every few steps, for a third of the time that such a
 * thread and its helpers have.
 */

/** So many bytes are read at once: a chunk of a link with its line. */
const READ_BYTES = 257 * 1024;

export class ReadMemory {
  readonly #spare: Buffer[] = [];

  /** Room for the next read. */
  readonly take = (): Buffer => this.#spare.pop() ?? Buffer.allocUnsafeSlow(READ_BYTES);

  /** What was read into `memory` is not looked at any more. */
  giveBack({ buffer }: Uint8Array): void {
    this.#spare.push(Buffer.from(buffer));
  }
}
