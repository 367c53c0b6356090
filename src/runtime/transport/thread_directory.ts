/**
 * Which thread hosts which address. Placement is given, at the start and again where it changes; what starts and ends
 * beyond it is announced by the threads. A thread that is lost hosts nobody.
 */

import type { Address } from '../system/address.ts';

/** No thread hosts the address, as far as is known. */
export const NOWHERE = -1;

export class ThreadDirectory {
  #placement: ReadonlyMap<Address, number>;
  readonly #announced = new Map<Address, number>();
  readonly #lost = new Set<number>();

  /** `placement` is thread by address. */
  constructor(placement: ReadonlyMap<Address, number>) {
    this.#placement = placement;
  }

  /** From now on `placement` is what was given. */
  place(placement: ReadonlyMap<Address, number>): void {
    this.#placement = placement;
  }

  /** The thread to send to for `address`, or `NOWHERE`. */
  find(address: Address): number {
    const thread = this.#announced.get(address) ?? this.#placement.get(address) ?? NOWHERE;
    return this.#lost.has(thread) ? NOWHERE : thread;
  }

  /** Whether what comes from `thread` may be by `address`: who is nowhere may have ended, and these are its last words. */
  mayHost(address: Address, thread: number): boolean {
    const host = this.find(address);
    return host === thread || host === NOWHERE;
  }

  add(address: Address, thread: number): void {
    this.#announced.set(address, thread);
  }

  remove(address: Address, thread: number): void {
    if (this.#announced.get(address) === thread) this.#announced.delete(address);
  }

  /** From now on `thread` hosts nobody. */
  lose(thread: number): void {
    this.#lost.add(thread);
  }
}
