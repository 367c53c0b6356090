/**
 * The receiving end of a link: lets chunks through once and in order. A **strict** receiver (data) counts from 0 in each
 * gen that it was told to enter, and breaks when one is missing; a **lenient** one (control) waits, since its sender sends
 * again until it hears what has arrived. No chunk makes it leave its gen, or a life of the sender that it knows.
 */

import type { Chunk } from './link_chunk.ts';
import type { LinkCounters } from './link_counters.ts';
import type { LinkFault } from './link_errors.ts';
import { Reassembly, type ReassemblyOptions } from './link_reassembly.ts';

export interface LinkReceiverOptions extends ReassemblyOptions {
  readonly strict: boolean;
  /** The life of the sender that is meant; undefined: the latest that is heard of. */
  readonly incarnation?: number | undefined;
  readonly windowChunks: number;
  readonly stallMs: number;
}

const UNKNOWN = -1;

export class LinkReceiver {
  readonly #options: LinkReceiverOptions;
  readonly #counters: LinkCounters;
  readonly #reassembly: Reassembly;
  /** Came before their turn, by sequence number. */
  readonly #ahead = new Map<number, Chunk>();
  #gen = 0;
  #incarnation: number;
  #expected = 0;
  /** Chunks below it have been sent, says their sender. */
  #promised = 0;
  #seenAttempt = 0;
  #progressMs = 0;
  /** When its sender first said that it had been told of more than has come; null since there was progress. */
  #leaptMs: number | null = null;
  #broken = false;

  constructor(options: LinkReceiverOptions) {
    this.#options = options;
    this.#counters = options.counters;
    this.#incarnation = options.incarnation ?? UNKNOWN;
    this.#reassembly = new Reassembly(options);
  }

  /** The gen that this link is in. Always 0 for control. */
  get gen(): number {
    return this.#gen;
  }

  get incarnation(): number {
    return this.#incarnation;
  }

  /** All chunks before this one have arrived. */
  get expected(): number {
    return this.#expected;
  }

  /** The highest attempt of the sender's that has come, whatever became of it. */
  get seenAttempt(): number {
    return this.#seenAttempt;
  }

  get isBroken(): boolean {
    return this.#broken;
  }

  /** Takes a chunk of kind `frame`; returns what broke the link, once. */
  accept(chunk: Chunk, nowMs: number): LinkFault | null {
    const isFirst = this.#incarnation === UNKNOWN;
    if (!this.#isOfThisLife(chunk)) return null;
    if (!this.#options.strict && chunk.base > this.#expected) {
      if (!isFirst) return this.#leapt(chunk, nowMs);
      // Its sender was there before us.
      this.#expected = chunk.base;
    }
    this.#seenAttempt = Math.max(this.#seenAttempt, chunk.attempt);
    if (chunk.sequence < this.#expected || this.#ahead.has(chunk.sequence)) {
      this.#counters.duplicates += 1;
      return this.#advance(nowMs);
    }
    if (chunk.sequence >= this.#expected + this.#options.windowChunks) {
      this.#counters.beyondWindow += 1;
      return this.#breakIfStrict({ kind: 'gap', expected: this.#expected, got: chunk.sequence });
    }
    if (!this.#isWaiting()) this.#progressMs = nowMs;
    const isKept = this.#options.isLent && chunk.sequence > this.#expected;
    this.#ahead.set(chunk.sequence, isKept ? { ...chunk, payload: Uint8Array.from(chunk.payload) } : chunk);
    return this.#advance(nowMs);
  }

  /** Takes a chunk of kind `tail`. */
  promised(chunk: Chunk, nowMs: number): void {
    if (!this.#isOfThisLife(chunk)) return;
    if (!this.#isWaiting()) this.#progressMs = nowMs;
    this.#promised = Math.max(this.#promised, chunk.sequence);
  }

  /** To be called now and then: breaks a strict link that has waited too long. */
  check(nowMs: number): LinkFault | null {
    const waitedMs = nowMs - this.#progressMs;
    if (this.#broken || !this.#isWaiting() || waitedMs < this.#options.stallMs) return null;
    return this.#breakIfStrict({ kind: 'stall', expected: this.#expected, waitedMs });
  }

  /** What is under way is lost; returns the fault if that is news. */
  disconnected(): LinkFault | null {
    const isIdle = this.#expected === 0 && !this.#isWaiting();
    return this.#broken || isIdle ? null : this.#breakIfStrict({ kind: 'disconnected' });
  }

  /** Lets go of all of lower gens. */
  enter(gen: number): void {
    if (gen > this.#gen) this.#restart(gen, this.#options.incarnation ?? UNKNOWN);
  }

  /** Lets go of everything. */
  close(): void {
    this.#drop();
  }

  #isOfThisLife({ gen, incarnation }: Chunk): boolean {
    const { strict, incarnation: meant } = this.#options;
    if (strict && gen > this.#gen) {
      this.#counters.early += 1;
      return false;
    }
    if (!strict && meant === undefined && incarnation > this.#incarnation) this.#restart(0, incarnation);
    // Entered before the first chunk came: whoever knows this gen is alive in it.
    else if (strict && gen === this.#gen && this.#incarnation === UNKNOWN) this.#incarnation = incarnation;
    if ((strict && gen < this.#gen) || incarnation < this.#incarnation) this.#counters.stale += 1;
    else if (incarnation > this.#incarnation) this.#counters.foreign += 1;
    else if (this.#broken) this.#counters.broken += 1;
    else return true;
    return false;
  }

  #advance(nowMs: number): LinkFault | null {
    for (;;) {
      const next = this.#ahead.get(this.#expected);
      if (next === undefined) return null;
      const refusal = this.#reassembly.refusal(next);
      this.#ahead.delete(this.#expected);
      if (refusal !== null) return this.#refuse(refusal);
      this.#expected += 1;
      this.#progressMs = nowMs;
      this.#leaptMs = null;
      if (this.#reassembly.take(next)) continue;
      this.#counters.malformed += 1;
      const fault = this.#breakIfStrict({ kind: 'gap', expected: next.sequence, got: next.sequence });
      if (fault !== null) return fault;
    }
  }

  /** A strict link breaks; a lenient one lets the sender try again, or does without a frame that will never fit. */
  #refuse(refusal: LinkFault): LinkFault | null {
    if (refusal.kind === 'too-large') this.#expected += 1;
    this.#counters.unfitting += 1;
    return this.#breakIfStrict(refusal);
  }

  /**
   * A sender lets go only of what was acknowledged, and more was not: a stranger has been at this link. If it was this
   * chunk, the next one will do; if it was an acknowledgement, nothing that the sender has left will.
   */
  #leapt({ base }: Chunk, nowMs: number): LinkFault | null {
    this.#counters.malformed += 1;
    this.#leaptMs ??= nowMs;
    if (nowMs - this.#leaptMs < this.#options.stallMs) return null;
    this.#drop();
    this.#broken = true;
    return { kind: 'gap', expected: this.#expected, got: base };
  }

  #isWaiting(): boolean {
    return this.#ahead.size > 0 || this.#reassembly.isPartial || this.#promised > this.#expected;
  }

  #breakIfStrict(fault: LinkFault): LinkFault | null {
    if (!this.#options.strict) return null;
    this.#drop();
    this.#broken = true;
    return fault;
  }

  #restart(gen: number, incarnation: number): void {
    this.#drop();
    this.#gen = gen;
    this.#incarnation = incarnation;
    this.#expected = 0;
    this.#promised = 0;
    this.#seenAttempt = 0;
    this.#leaptMs = null;
    this.#broken = false;
  }

  #drop(): void {
    this.#ahead.clear();
    this.#reassembly.drop();
  }
}
