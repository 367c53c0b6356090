/** One end of a link for tests: chunks go in, frames come out as text or bytes. */

import { HeapFramePool } from '../../../src/runtime/transport/frame.ts';
import { readChunk, type LinkIdentity } from '../../../src/runtime/transport/link_chunk.ts';
import { LinkCounters } from '../../../src/runtime/transport/link_counters.ts';
import type { LinkFault } from '../../../src/runtime/transport/link_errors.ts';
import { PartialBudget } from '../../../src/runtime/transport/link_reassembly.ts';
import { LinkReceiver } from '../../../src/runtime/transport/link_receiver.ts';

export const RUN = 77;
export const SENDER: LinkIdentity = { run: RUN, incarnation: 5 };
/** Chunks of 16 bytes of payload. */
export const CHUNK_BYTES = 80;

export interface ReceivingEndOptions {
  readonly strict?: boolean;
  /** Whether what arrives is written over once it has been taken. */
  readonly isLent?: boolean;
  /** Whether a strict one enters each gen of which something comes, as nodes do before; default: yes. */
  readonly enters?: boolean;
  /** The life of the sender that is meant. */
  readonly incarnation?: number;
  readonly maxFrameBytes?: number;
  readonly budgetBytes?: number;
}

export class ReceivingEnd {
  readonly pool = new HeapFramePool({ poison: true });
  readonly counters = new LinkCounters();
  readonly budget: PartialBudget;
  readonly frames: Buffer[] = [];
  /** The memory of each. */
  readonly places: ArrayBufferLike[] = [];
  readonly faults: LinkFault[] = [];
  readonly receiver: LinkReceiver;

  readonly #enters: boolean;

  constructor(options: ReceivingEndOptions = {}) {
    const { strict = true, isLent = false, enters = true, incarnation } = options;
    const { maxFrameBytes = 1 << 20, budgetBytes = 1 << 20 } = options;
    this.#enters = enters && strict;
    this.budget = new PartialBudget(budgetBytes);
    this.receiver = new LinkReceiver({
      strict,
      isLent,
      incarnation,
      windowChunks: 4,
      stallMs: 100,
      maxFrameBytes,
      pool: this.pool,
      budget: this.budget,
      counters: this.counters,
      onFrame: (frame, bytes) => {
        this.places.push(frame.bytes.buffer);
        this.frames.push(Buffer.from(frame.bytes.subarray(0, bytes)));
        frame.release();
      },
    });
  }

  get texts(): string[] {
    return this.frames.map((frame) => frame.toString());
  }

  /** Takes bytes as they come from the network: in memory of their own. */
  take(bytes: Uint8Array, nowMs = 0): void {
    this.arrive(Uint8Array.from(bytes), nowMs);
  }

  /** Takes bytes where they are; they belong to this end from now on. */
  arrive(bytes: Uint8Array, nowMs = 0): void {
    const chunk = readChunk(bytes, RUN, this.counters);
    if (chunk === null) return;
    if (this.#enters) this.receiver.enter(chunk.gen);
    const fault = this.receiver.accept(chunk, nowMs);
    if (fault !== null) this.faults.push(fault);
  }

  /** Lets time pass. */
  check(nowMs: number): void {
    const fault = this.receiver.check(nowMs);
    if (fault !== null) this.faults.push(fault);
  }
}
