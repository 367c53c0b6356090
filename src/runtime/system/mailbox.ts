/**
 * The messages that wait for one actor. Control overtakes data and always fits; data is bounded, and what waits for a
 * parameter version counts as waiting. The bound is a safety net: senders keep within credits.
 */

import type { Delivery } from './delivery.ts';
import { Queue } from './queue.ts';

export class Mailbox {
  readonly #control = new Queue<Delivery>();
  readonly #data = new Queue<Delivery>();
  #parked: Delivery[] = [];
  readonly dataCapacity: number;

  constructor(dataCapacity: number) {
    this.dataCapacity = dataCapacity;
  }

  get depth(): number {
    return this.#control.length + this.#data.length + this.#parked.length;
  }

  /** True if some message could be taken now. */
  get ready(): boolean {
    return this.#control.length > 0 || this.#data.length > 0;
  }

  /** Returns false, and keeps nothing, if the data lane is full. */
  push(delivery: Delivery): boolean {
    if (delivery.route.lane === 'control') {
      this.#control.push(delivery);
      return true;
    }
    if (this.#data.length + this.#parked.length >= this.dataCapacity) return false;
    this.#data.push(delivery);
    return true;
  }

  take(): Delivery | undefined {
    return this.#control.shift() ?? this.#data.shift();
  }

  /** Keeps `delivery` aside until `unpark`. */
  park(delivery: Delivery): void {
    this.#parked.push(delivery);
  }

  /** Puts parked messages up to `version` back in front of the data lane, in the order in which they came. */
  unpark(version: number | null): void {
    const isDue = (d: Delivery) => version === null || d.paramsVersion === null || d.paramsVersion <= version;
    const due = this.#parked.filter(isDue);
    if (due.length === 0) return;
    this.#parked = this.#parked.filter((d) => !isDue(d));
    for (const delivery of due.reverse()) this.#data.unshift(delivery);
  }

  /** Empties the mailbox and returns what was in it. */
  clear(): Delivery[] {
    const left = this.#parked;
    this.#parked = [];
    for (let next = this.take(); next !== undefined; next = this.take()) left.push(next);
    return left;
  }
}
