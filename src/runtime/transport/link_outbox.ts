/**
 * Control chunks of one link that have not been acknowledged. They leave in order, a window at a time, and again after a
 * while, until the receiver says that they have arrived: a control message is late at worst, never lost.
 */

import { piecesBytes, type FramePieces } from './frame.ts';
import { resealChunk, type LinkIdentity } from './link_chunk.ts';
import type { LinkCounters } from './link_counters.ts';
import { FrameTooLarge, type LinkFault } from './link_errors.ts';
import type { LinkLimits } from './link_limits.ts';
import { LinkSender } from './link_sender.ts';

interface Kept {
  readonly sequence: number;
  readonly bytes: Buffer;
  /** Null before it is sent. */
  sentMs: number | null;
}

export interface LinkOutboxOptions {
  readonly to: string;
  readonly identity: LinkIdentity;
  readonly limits: LinkLimits;
  readonly counters: LinkCounters;
}

export class LinkOutbox {
  readonly #options: LinkOutboxOptions;
  readonly #sender: LinkSender;
  #kept: Kept[] = [];
  #keptBytes = 0;

  constructor(options: LinkOutboxOptions) {
    this.#options = options;
    this.#sender = new LinkSender(options.identity, options.limits.chunkBytes);
  }

  get isEmpty(): boolean {
    return this.#kept.length === 0;
  }

  /** Puts a frame in; returns why not, if too much waits already. Throws `FrameTooLarge`. */
  offer(frame: FramePieces): LinkFault | null {
    const { to, limits } = this.#options;
    const frameBytes = piecesBytes(frame);
    if (frameBytes > limits.maxFrameBytes) throw new FrameTooLarge(to, frameBytes, limits.maxFrameBytes);
    const bytes = this.#keptBytes + frameBytes;
    if (bytes > limits.maxQueuedBytes) return { kind: 'overflow', bytes, limitBytes: limits.maxQueuedBytes };
    let { sequence } = this.#sender;
    for (const chunk of this.#sender.cut(frame)) {
      this.#kept.push({ sequence: sequence++, bytes: chunk, sentMs: null });
      this.#keptBytes += chunk.length;
    }
    return null;
  }

  /** The chunks to send now: new ones within the window, and those whose acknowledgement is overdue. */
  due(nowMs: number): Buffer[] {
    const { limits, counters } = this.#options;
    const due: Buffer[] = [];
    for (const kept of this.#kept.slice(0, limits.windowChunks)) {
      if (kept.sentMs !== null && nowMs - kept.sentMs < limits.retryMs) continue;
      if (kept.sentMs !== null) counters.resent += 1;
      kept.sentMs = nowMs;
      resealChunk(kept.bytes, this.#kept[0].sequence);
      due.push(kept.bytes);
    }
    return due;
  }

  /** All chunks before `expected` have arrived. A number that was never sent is counted and ignored. */
  acknowledged(expected: number): void {
    if (expected > this.#sender.sequence) {
      this.#options.counters.malformed += 1;
      return;
    }
    const arrived = this.#kept.findIndex(({ sequence }) => sequence >= expected);
    const gone = this.#kept.splice(0, arrived === -1 ? this.#kept.length : arrived);
    for (const { bytes } of gone) this.#keptBytes -= bytes.length;
  }

  /** What was under way may be lost: all is due again at once. */
  reconnected(): void {
    for (const kept of this.#kept) if (kept.sentMs !== null) kept.sentMs = -Infinity;
  }

  /** Gives up all that waits; returns how many frames at least began to wait. */
  clear(): number {
    const chunks = this.#kept.length;
    this.#kept = [];
    this.#keptBytes = 0;
    return chunks;
  }
}
