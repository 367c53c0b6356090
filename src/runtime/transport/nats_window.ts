/**
 * How much may be handed to the NATS client, which never blocks and holds everything in memory: bytes are counted from
 * publish until a flush that came after them is confirmed, and beyond the window nothing more is handed over.
 */

export class FlushWindow {
  readonly #windowBytes: number;
  #sentBytes = 0;
  #confirmedBytes = 0;
  /** Sent when the last flush began. */
  #markedBytes = 0;

  constructor(windowBytes: number) {
    this.#windowBytes = windowBytes;
  }

  get unflushedBytes(): number {
    return this.#sentBytes - this.#confirmedBytes;
  }

  /** A message of any size may be sent when less than the window is unflushed. */
  get isOpen(): boolean {
    return this.unflushedBytes < this.#windowBytes;
  }

  /** Returns the mark from which on these bytes are confirmed. */
  sent(bytes: number): number {
    this.#sentBytes += bytes;
    return this.#sentBytes;
  }

  /**
   * A flush is worth its round trip: a quarter of the window was sent since the last one began, or nothing else waits and
   * none is under way. Returns the mark to be given to `confirmed`; null if no flush is wanted.
   */
  mark(isIdle: boolean): number | null {
    const unmarkedBytes = this.#sentBytes - this.#markedBytes;
    const isWorthIt = isIdle && this.#markedBytes === this.#confirmedBytes;
    if (unmarkedBytes === 0 || (!isWorthIt && unmarkedBytes < this.#windowBytes / 4)) return null;
    this.#markedBytes = this.#sentBytes;
    return this.#markedBytes;
  }

  /** The flush of `mark` came back. */
  confirmed(mark: number): void {
    this.#confirmedBytes = Math.max(this.#confirmedBytes, mark);
  }

  /** The connection was lost with all that was under way. */
  reset(): void {
    this.#confirmedBytes = this.#sentBytes;
    this.#markedBytes = this.#sentBytes;
  }
}
