/**
 * A key-value store has a few small records that all nodes agree on. It is a port: JetStream KV between nodes, a map
 * for tests. Every write but the first names the revision that it replaces, so of two writers one learns that it was
 * late.
 */

export interface KvEntry {
  readonly key: string;
  readonly value: string;
  /** Grows with each write to the store. */
  readonly revision: number;
}

/** Nobody writes so often that another writer comes late each time: after as many tries the store is damaged. */
export const MOST_TRIES = 50;

/** Keys are segments of a-z A-Z 0-9 _ - joined by dots. Each call may throw `KvUnavailable`, which may pass, and `KvBucketGone`. */
export interface KvStore {
  find(key: string): Promise<KvEntry | null>;
  /** Writes `value` unless there is one: what is written first stands, and is returned. Safe to call again. */
  createOrGet(key: string, value: string): Promise<KvEntry>;
  /** Writes in place of `revision`; null if another one stands. */
  replace(key: string, value: string, revision: number): Promise<KvEntry | null>;
  /** Removes `revision`; false if another one stands. */
  remove(key: string, revision: number): Promise<boolean>;
  /** Keys of one segment more than `prefix`, sorted; one whose entry was removed may be among them. */
  keys(prefix: string): Promise<readonly string[]>;
  /** All entries whose key is `prefix`, a dot, and one segment more; sorted by key. */
  list(prefix: string): Promise<readonly KvEntry[]>;
}
