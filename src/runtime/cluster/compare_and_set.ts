/**
 * Compare-and-set writes what depends on what stands: it reads, decides, replaces, and does so once more if another
 * writer was faster. A store that refuses to replace the revision that it shows, and shows it again or another one each
 * time, contradicts itself: it is damaged.
 */

import { MOST_TRIES, type KvEntry, type KvStore } from './kv_store.ts';
import { DamagedStore } from './membership_errors.ts';

export interface Written {
  /** What stands now. */
  readonly entry: KvEntry;
  /** It was this call that wrote it. */
  readonly isOurs: boolean;
}

/**
 * Writes under `key` what `next` makes of the entry that stands, or `initial` where there is none; `next` answers null to
 * leave it. Throws `DamagedStore`, and what `next` throws.
 */
export async function compareAndSet(
  store: KvStore,
  key: string,
  initial: string,
  next: (standing: KvEntry) => string | null | Promise<string | null>,
): Promise<Written> {
  let refused: number | null = null;
  for (let tries = 1; tries <= MOST_TRIES; tries += 1) {
    const standing = await store.createOrGet(key, initial);
    const value = await next(standing);
    if (value === null) return { entry: standing, isOurs: false };
    if (standing.revision === refused) throw new DamagedStore(key, `revision ${refused} stands and cannot be replaced`);
    const written = await store.replace(key, value, standing.revision);
    if (written !== null) return { entry: written, isOurs: true };
    refused = standing.revision;
  }
  throw new DamagedStore(key, `none of ${MOST_TRIES} revisions that stood could be replaced`);
}
