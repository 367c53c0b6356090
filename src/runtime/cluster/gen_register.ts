/**
 * The gen: one integer that all nodes agree on, raised by compare-and-set. Of two who raise it from the same number one
 * succeeds, and the other learns the number that stands.
 */

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

  /** Raises from `gen` to `gen + 1`, unless another gen than `gen` stands. */
  async raise(gen: number): Promise<Raised> {
    return this.#write((standing) => (standing === gen ? gen + 1 : null));
  }

  /** Raises to `least`, unless it is that high already. For resuming: the manifest's gen + 1. */
  async raiseTo(least: number): Promise<Raised> {
    return this.#write((standing) => (standing < least ? least : null));
  }

  async #write(next: (standing: number) => number | null): Promise<Raised> {
    for (;;) {
      const entry = await this.#store.createOrGet(this.#key, '0');
      const standing = this.#parse(entry.value);
      const gen = next(standing);
      if (gen === null) return { gen: standing, isOurs: false };
      const written = await this.#store.replace(this.#key, String(gen), entry.revision);
      if (written !== null) return { gen, isOurs: true };
    }
  }

  #parse(value: string): number {
    const gen = Number(value);
    if (value === '' || !Number.isInteger(gen) || gen < 0 || gen > 0xffff_ffff)
      throw new DamagedRecord(this.#key, `'${value.slice(0, 40)}' is no gen`);
    return gen;
  }
}
