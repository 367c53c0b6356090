/**
 * Many deadlines behind one timer. A binary heap by due time; a deadline that is met is only marked, and swept when the
 * marked are the majority, so that meeting one costs nothing. Most asks wait equally long, hence enter in order.
 */

import type { Clock, Timer } from './clock.ts';

export interface Deadline {
  readonly dueMs: number;
  /** Set when it no longer matters. */
  met: boolean;
  expire(nowMs: number): void;
}

const SWEEP_AT = 1024;
/** Timers of the platform overflow beyond 2^31 ms; one that fires early is set again. */
const MAX_WAIT_MS = 2 ** 30;

export class Deadlines {
  readonly #clock: Clock;
  #heap: Deadline[] = [];
  #met = 0;
  #timer: Timer | null = null;
  #timerDueMs = Infinity;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(deadline: Deadline): void {
    this.#siftUp(this.#heap.push(deadline) - 1);
    if (deadline.dueMs < this.#timerDueMs) this.#arm(deadline.dueMs);
  }

  /** Marks `deadline` as met: it will not expire. */
  meet(deadline: Deadline): void {
    deadline.met = true;
    this.#met += 1;
    if (this.#met > SWEEP_AT && 2 * this.#met > this.#heap.length) this.#sweep();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#heap = [];
  }

  #arm(dueMs: number): void {
    this.#timer?.cancel();
    this.#timerDueMs = dueMs;
    this.#timer = this.#clock.after(Math.min(MAX_WAIT_MS, Math.max(0, dueMs - this.#clock.now())), () => this.#fire());
  }

  #fire(): void {
    this.#timer = null;
    this.#timerDueMs = Infinity;
    const nowMs = this.#clock.now();
    for (let first = this.#heap.at(0); first !== undefined; first = this.#heap.at(0)) {
      if (!first.met && first.dueMs > nowMs) return this.#arm(first.dueMs);
      this.#pop();
      if (first.met) this.#met -= 1;
      else first.expire(nowMs);
    }
  }

  #sweep(): void {
    this.#heap = this.#heap.filter((deadline) => !deadline.met).sort((a, b) => (a.dueMs < b.dueMs ? -1 : 1));
    this.#met = 0;
  }

  #siftUp(index: number): void {
    const heap = this.#heap;
    const item = heap[index];
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (heap[parent].dueMs <= item.dueMs) break;
      heap[index] = heap[parent];
      index = parent;
    }
    heap[index] = item;
  }

  #pop(): void {
    const heap = this.#heap;
    const item = heap.pop();
    if (item === undefined || heap.length === 0) return;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && heap[child + 1].dueMs < heap[child].dueMs) child += 1;
      if (heap[child].dueMs >= item.dueMs) break;
      heap[index] = heap[child];
      index = child;
    }
    heap[index] = item;
  }
}
