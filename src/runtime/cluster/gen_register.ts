/**
 * The gen register holds the gen, one integer that all nodes agree on, raised by compare-and-set. Of two who raise it
 * from the same number one succeeds, and the other learns the number that stands.
 */

import { compareAndSet } from './compare_and_set.ts';
import type { KvStore } from './kv_store.ts';
import { DamagedRecord } from './membership_errors.ts';

export interface Raised {
  /** The gen that stands now. */
  readonly gen: number;
  /** It was this call that raised it. */
  readonly isOurs: boolean;
}

export class GenRegister {
  readonly #store: KvStore;
  readonly #key: string;

  /** Each run counts for itself. */
  constructor(store: KvStore, runId: string) {
    this.#store = store;
    this.#key = `gen.${runId}`;
  }

  /** The gen that stands; 0 before it was ever raised. Throws `KvUnavailable`, `DamagedRecord`. */
  async current(): Promise<number> {
    const entry = await this.#store.find(this.#key);
    return entry === null ? 0 : this.#parse(entry.value);
  }

  /** Raises from `gen` to `gen + 1`, unless another gen than `gen` stands. Throws `KvUnavailable`, `DamagedRecord`, `DamagedStore`. */
  raise(gen: number): Promise<Raised> {
    return this.#write((standing) => {
      if (standing < gen) throw new DamagedRecord(this.#key, `no gen from ${gen} on`, String(standing));
      return standing === gen ? gen + 1 : null;
    });
  }

  /** Raises to `least`, unless it is that high already. For resuming: the manifest's gen + 1. */
  raiseTo(least: number): Promise<Raised> {
    return this.#write((standing) => (standing < least ? least : null));
  }

  async #write(next: (standing: number) => number | null): Promise<Raised> {
    const { entry, isOurs } = await compareAndSet(this.#store, this.#key, '0', ({ value }) => {
      const gen = next(this.#parse(value));
      return gen === null ? null : String(gen);
    });
    return { gen: this.#parse(entry.value), isOurs };
  }

  #parse(value: string): number {
    const gen = Number(value);
    if (value === '' || !Number.isInteger(gen) || gen < 0 || gen > 0xffff_ffff)
      throw new DamagedRecord(this.#key, 'no gen', value);
    return gen;
  }
}
