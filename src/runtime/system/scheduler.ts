/**
 * One queue of the actors that have mail, drained in batches. A drain starts as a microtask, so an answer is near; after
 * a slice of a few milliseconds it goes on in the next turn of the event loop, so that timers and I/O get theirs.
 */

import type { Clock } from './clock.ts';
import { Queue } from './queue.ts';

/** Something that handles a batch of messages; returns true if it wants another turn. */
export interface Runnable {
  run(): boolean;
}

const SLICE_MS = 4;
/** Runs between looks at the time. */
const LOOK_EVERY = 8;

export class Scheduler {
  readonly #clock: Clock;
  readonly #queue = new Queue<Runnable>();
  #scheduled = false;
  /** When this turn of the event loop was first used; NaN if not yet. */
  #turnStartMs = NaN;
  #nowMs = 0;
  readonly #idlers: (() => void)[] = [];
  readonly #drain = () => this.#runSlice();
  readonly #endTurn = () => {
    this.#turnStartMs = NaN;
  };

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The clock at the last look, at most one batch ago. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** Gives `runnable` a turn; the caller sees to it that it is queued once. */
  enqueue(runnable: Runnable): void {
    this.#queue.push(runnable);
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#clock.beginNative();
    this.#wake();
  }

  /** Resolves when nothing is queued. */
  idle(): Promise<void> {
    if (!this.#scheduled) return Promise.resolve();
    return new Promise((resolve) => this.#idlers.push(resolve));
  }

  // Slices are a matter between this thread and its event loop: real time, whatever the injected clock says.
  #wake(): void {
    if (this.#isSpent()) setImmediate(this.#drain);
    else queueMicrotask(this.#drain);
  }

  #isSpent(): boolean {
    const nowMs = performance.now();
    if (Number.isNaN(this.#turnStartMs)) {
      this.#turnStartMs = nowMs;
      setImmediate(this.#endTurn);
    }
    return nowMs - this.#turnStartMs >= SLICE_MS;
  }

  #runSlice(): void {
    let untilLook = 0;
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      if (untilLook-- === 0) {
        untilLook = LOOK_EVERY;
        this.#nowMs = this.#clock.now();
        if (this.#isSpent()) {
          this.#queue.unshift(next);
          setImmediate(this.#drain);
          return;
        }
      }
      if (next.run()) this.#queue.push(next);
    }
    this.#scheduled = false;
    this.#clock.endNative();
    for (const resolve of this.#idlers.splice(0)) resolve();
  }
}
