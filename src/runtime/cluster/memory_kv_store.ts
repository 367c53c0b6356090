/** `MemoryKvStore` is the twin in memory of the NATS key-value store, for tests and for clusters of one process. */

import type { KvEntry, KvStore } from './kv_store.ts';

export class MemoryKvStore implements KvStore {
  readonly #entries = new Map<string, KvEntry>();
  #revision = 0;

  find(key: string): Promise<KvEntry | null> {
    return Promise.resolve(this.#entries.get(key) ?? null);
  }

  createOrGet(key: string, value: string): Promise<KvEntry> {
    return Promise.resolve(this.#entries.get(key) ?? this.#write(key, value));
  }

  replace(key: string, value: string, revision: number): Promise<KvEntry | null> {
    return Promise.resolve(this.#entries.get(key)?.revision === revision ? this.#write(key, value) : null);
  }

  remove(key: string, revision: number): Promise<boolean> {
    return Promise.resolve(this.#entries.get(key)?.revision === revision && this.#entries.delete(key));
  }

  keys(prefix: string): Promise<readonly string[]> {
    return Promise.resolve(this.#below(prefix).map(({ key }) => key));
  }

  list(prefix: string): Promise<readonly KvEntry[]> {
    return Promise.resolve(this.#below(prefix));
  }

  #below(prefix: string): KvEntry[] {
    const isBelow = ({ key }: KvEntry): boolean =>
      key.startsWith(`${prefix}.`) && !key.slice(prefix.length + 1).includes('.');
    return [...this.#entries.values()].filter(isBelow).sort(byKey);
  }

  #write(key: string, value: string): KvEntry {
    this.#revision += 1;
    const entry = { key, value, revision: this.#revision };
    this.#entries.set(key, entry);
    return entry;
  }
}

/** Code-unit order, the same on every machine. */
const byKey = (a: KvEntry, b: KvEntry): number => (a.key < b.key ? -1 : 1);
