/**
 * What can go wrong between threads. Each class carries a tag and one line that says what, where and what to do. Both are
 * thrown at the sender, by the `tell` or through the `ask` that would have sent.
 */

const mib = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

/** A frame is larger than the largest shared slot. */
export class MessageTooLarge extends Error {
  readonly tag = 'MessageTooLarge';
  override readonly name = 'MessageTooLarge';
  readonly bytes: number;
  readonly maxBytes: number;
  constructor(thread: string, bytes: number, maxBytes: number) {
    super(
      `${thread}: a frame of ${bytes} bytes is larger than the largest slot of ${maxBytes}; ` +
        `send it in parts, or add a class of larger slots (option 'slots')`,
    );
    this.bytes = bytes;
    this.maxBytes = maxBytes;
  }
}

/** All slots are out, and so is what may wait in ordinary memory: the receivers do not let go. */
export class SlotsExhausted extends Error {
  readonly tag = 'SlotsExhausted';
  override readonly name = 'SlotsExhausted';
  readonly bytes: number;
  constructor(thread: string, bytes: number, overflowBytes: number, maxOverflowBytes: number) {
    super(
      `${thread}: no slot for ${bytes} bytes while ${mib(overflowBytes)} of at most ${mib(maxOverflowBytes)} overflow; ` +
        `send within credits, release what is held, or raise 'slots' or 'maxOverflowBytes'`,
    );
    this.bytes = bytes;
  }
}

/** The slots asked for cannot be laid out. */
export class InvalidSlots extends Error {
  readonly tag = 'InvalidSlots';
  override readonly name = 'InvalidSlots';
  constructor(what: string) {
    super(`slots: ${what}; give classes in rising order, bytes a power of two from 1024 to 1 GiB, count from 1`);
  }
}
