/**
 * Control chunks of one link that have not been acknowledged. They leave in order, as many at a time as the window has
 * room for. Of those under way only the oldest is ever sent again: at once when a later one has come before it, else after
 * a while, which doubles each time. So a control message is late at worst, never lost, and a slow network is not given
 * more than it carries.
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
  /** Of the last time that it left; 0 before the first. */
  attempt: number;
  sentMs: number;
  /** Sent again since a later one came before it: once only, for the receiver may have seen and not kept it. */
  isHurried: boolean;
  /** How often it was sent again for want of an acknowledgement. */
  waits: number;
}

export interface LinkOutboxOptions {
  readonly to: string;
  readonly identity: LinkIdentity;
  readonly limits: LinkLimits;
  readonly counters: LinkCounters;
}

/** The longest wait is `retryMs` doubled so often: 4 s by default. */
const MOST_DOUBLINGS = 3;

export class LinkOutbox {
  readonly #options: LinkOutboxOptions;
  readonly #sender: LinkSender;
  #kept: Kept[] = [];
  #keptBytes = 0;
  /** The first so many of those kept are under way. */
  #underWay = 0;
  #underWayBytes = 0;
  #attempt = 0;
  /** The highest attempt that the receiver has seen. */
  #seenAttempt = 0;
  #progressMs = -Infinity;

  constructor(options: LinkOutboxOptions) {
    this.#options = options;
    this.#sender = new LinkSender(options.identity, options.limits.chunkBytes);
  }

  get isEmpty(): boolean {
    return this.#kept.length === 0;
  }

  /** The number of the chunk that left last, repeats counted. */
  get attempt(): number {
    return this.#attempt;
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
      this.#kept.push({ sequence: sequence++, bytes: chunk, attempt: 0, sentMs: 0, isHurried: false, waits: 0 });
      this.#keptBytes += chunk.length;
    }
    return null;
  }

  /**
   * The chunks to send now: the oldest again if it is lost or overdue, and new ones for which the window has room. What
   * left after attempt `taken` may still wait in the client, and is not overdue.
   */
  due(nowMs: number, taken = Infinity): Buffer[] {
    const { windowChunks, unacknowledgedBytes } = this.#options.limits;
    const due: Buffer[] = [];
    if (this.#underWay > 0) this.#repeat(this.#kept[0], due, nowMs, taken);
    const most = Math.min(this.#kept.length, windowChunks);
    while (this.#underWay < most && this.#underWayBytes < unacknowledgedBytes) {
      const next = this.#kept[this.#underWay++];
      this.#underWayBytes += next.bytes.length;
      due.push(this.#send(next, nowMs));
    }
    return due;
  }

  /**
   * All chunks before `expected` have arrived, and `seenAttempt` was the last to come. A number that was never sent is
   * counted and ignored: a stranger's chunk may have left one with the receiver.
   */
  acknowledged(expected: number, seenAttempt = 0, nowMs = -Infinity): void {
    const isSent = seenAttempt <= this.#attempt;
    if (!isSent || expected > this.#sender.sequence) this.#options.counters.malformed += 1;
    if (expected > this.#sender.sequence) return;
    if (isSent) this.#seenAttempt = Math.max(this.#seenAttempt, seenAttempt);
    if (this.isEmpty || expected <= this.#kept[0].sequence) return;
    const gone = this.#kept.splice(0, expected - this.#kept[0].sequence);
    const underWay = gone.slice(0, this.#underWay);
    this.#underWay -= underWay.length;
    this.#underWayBytes -= bytesOf(underWay);
    this.#keptBytes -= bytesOf(gone);
    this.#progressMs = nowMs;
  }

  /** What was under way may be lost: all is to be sent again, as the window has room. */
  reconnected(): void {
    for (const kept of this.#kept.slice(0, this.#underWay)) {
      kept.isHurried = false;
      kept.waits = 0;
    }
    this.#underWay = 0;
    this.#underWayBytes = 0;
  }

  /** Gives up all that waits; returns how many frames at least began to wait. */
  clear(): number {
    const chunks = this.#kept.length;
    this.#kept = [];
    this.#keptBytes = 0;
    this.#underWay = 0;
    this.#underWayBytes = 0;
    return chunks;
  }

  #repeat(oldest: Kept, due: Buffer[], nowMs: number, taken: number): void {
    const { attempt, isHurried, sentMs, waits } = oldest;
    const waitMs = this.#options.limits.retryMs * 2 ** Math.min(waits, MOST_DOUBLINGS);
    if (!isHurried && attempt < this.#seenAttempt) oldest.isHurried = true;
    else if (attempt <= taken && nowMs - Math.max(sentMs, this.#progressMs) >= waitMs) oldest.waits += 1;
    else return;
    due.push(this.#send(oldest, nowMs));
  }

  #send(kept: Kept, nowMs: number): Buffer {
    if (kept.attempt > 0) this.#options.counters.resent += 1;
    kept.attempt = ++this.#attempt;
    kept.sentMs = nowMs;
    resealChunk(kept.bytes, this.#kept[0].sequence, kept.attempt);
    return kept.bytes;
  }
}

const bytesOf = (chunks: readonly Kept[]): number => chunks.reduce((sum, { bytes }) => sum + bytes.length, 0);
