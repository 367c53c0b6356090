/**
 * Chunks in order to frames. Since chunks of a link come in order, at most one frame of it is incomplete. Its bytes are
 * taken from a budget that all links of a node share, before memory is leased. A frame of one chunk stays where it is, unless
 * that memory is only lent.
 */

import type { ArrivalPool, Frame } from './frame.ts';
import type { Chunk } from './link_chunk.ts';
import type { LinkCounters } from './link_counters.ts';
import type { LinkFault } from './link_errors.ts';
import { TENSOR_ALIGN } from './wire.ts';

/** Bytes that incomplete frames may take. */
export class PartialBudget {
  readonly limitBytes: number;
  usedBytes = 0;

  constructor(limitBytes: number) {
    this.limitBytes = limitBytes;
  }
}

export interface ReassemblyOptions {
  readonly pool: ArrivalPool;
  readonly budget: PartialBudget;
  readonly maxFrameBytes: number;
  /** Whether the memory of a chunk is somebody else's again when it has been taken. */
  readonly isLent: boolean;
  readonly counters: LinkCounters;
  /** A frame is complete: `bytes` bytes at the start of `frame`, whose lease goes to the one who takes it. */
  readonly onFrame: (frame: Frame, bytes: number, gen: number) => void;
}

interface Partial {
  readonly frame: Frame;
  readonly bytes: number;
  filledBytes: number;
}

export class Reassembly {
  readonly #options: ReassemblyOptions;
  #partial: Partial | null = null;

  constructor(options: ReassemblyOptions) {
    this.#options = options;
  }

  get isPartial(): boolean {
    return this.#partial !== null;
  }

  /** Why the next chunk cannot be taken; null if it can. */
  refusal({ offset, frameBytes }: Chunk): LinkFault | null {
    const { budget, maxFrameBytes } = this.#options;
    if (frameBytes > maxFrameBytes) return { kind: 'too-large', bytes: frameBytes, limitBytes: maxFrameBytes };
    const usedBytes = budget.usedBytes - (this.#partial?.bytes ?? 0);
    if (offset > 0 || usedBytes + frameBytes <= budget.limitBytes) return null;
    return { kind: 'overflow', bytes: usedBytes + frameBytes, limitBytes: budget.limitBytes };
  }

  /** Takes the next chunk, which was not refused; false if it does not continue what came before. */
  take(chunk: Chunk): boolean {
    if (chunk.offset === 0) {
      if (!this.#options.isLent && isWhole(chunk)) return this.#adopt(chunk);
      this.#begin(chunk);
    }
    const partial = this.#partial;
    if (partial?.filledBytes !== chunk.offset || partial.bytes !== chunk.frameBytes) {
      this.drop();
      return false;
    }
    partial.frame.bytes.set(chunk.payload, chunk.offset);
    partial.filledBytes += chunk.payload.length;
    if (partial.filledBytes === partial.bytes) this.#complete(partial, chunk.gen);
    return true;
  }

  /** Lets go of an incomplete frame, and counts it. */
  drop(): void {
    if (this.#partial === null) return;
    this.#options.counters.partial += 1;
    this.#options.budget.usedBytes -= this.#partial.bytes;
    this.#partial.frame.release();
    this.#partial = null;
  }

  /** The client gives each message memory of its own, or a part of what it has read and reads no more. */
  #adopt({ payload, gen }: Chunk): boolean {
    this.drop();
    this.#options.counters.framesReceived += 1;
    this.#options.onFrame(this.#options.pool.adopt(payload), payload.length, gen);
    return true;
  }

  #begin({ frameBytes }: Chunk): void {
    this.drop();
    const { budget, pool } = this.#options;
    budget.usedBytes += frameBytes;
    this.#partial = { frame: pool.lease(frameBytes), bytes: frameBytes, filledBytes: 0 };
  }

  #complete({ frame, bytes }: Partial, gen: number): void {
    this.#partial = null;
    this.#options.budget.usedBytes -= bytes;
    this.#options.counters.framesReceived += 1;
    this.#options.onFrame(frame, bytes, gen);
  }
}

const isWhole = ({ payload, frameBytes }: Chunk): boolean =>
  payload.length === frameBytes && payload.byteOffset % TENSOR_ALIGN === 0;
