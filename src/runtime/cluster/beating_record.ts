/**
 * A beating record shows that its writer lives: it is written again with every beat. Each beat replaces the one before,
 * so a writer whose record was removed or taken over learns it with its next beat.
 */

import type { Clock, Timer } from '../system/clock.ts';
import type { KvEntry, KvStore } from './kv_store.ts';
import { KvUnavailable } from './membership_errors.ts';

export interface BeatingRecordOptions {
  readonly store: KvStore;
  readonly clock: Clock;
  readonly key: string;
  /** Time between beats; a quarter of the lease is right. */
  readonly beatMs: number;
  /** The record at a beat, whose number makes each write a change. */
  readonly format: (beat: number) => string;
  /** Whether a record was written by us. */
  readonly isOurs: (entry: KvEntry) => boolean;
  /** It is not ours any more, or (`why`) the store cannot have it; beating has stopped. */
  readonly onLost: (why: Error | null) => void;
  /** A beat was written. */
  readonly onBeat?: () => void;
}

export class BeatingRecord {
  readonly #options: BeatingRecordOptions;
  #revision: number;
  #beat = 0;
  #timer: Timer | null = null;
  #ended = false;

  /** Goes on from beat 0, which stands at `revision`. */
  constructor(options: BeatingRecordOptions, revision: number) {
    this.#options = options;
    this.#revision = revision;
    this.#arm(options.beatMs);
  }

  /** Stops beating and leaves the record as it is. */
  stop(): void {
    this.#ended = true;
    this.#timer?.cancel();
  }

  /** Stops beating and removes the record, so that nobody waits for a lease to end. */
  async remove(): Promise<void> {
    this.stop();
    const { store, key, isOurs } = this.#options;
    const entry = await store.find(key);
    if (entry !== null && isOurs(entry)) await store.remove(key, entry.revision);
  }

  #arm(delayMs: number): void {
    const { clock, beatMs } = this.#options;
    this.#timer = clock.after(delayMs, () => {
      this.#renew().then(
        (isOurs) => (isOurs ? this.#next(beatMs) : this.#lost(null)),
        (error: unknown) => {
          // The next one may be written. Time was lost on the attempt, and the lease goes on.
          if (error instanceof KvUnavailable || !(error instanceof Error)) this.#next(beatMs / 4);
          else this.#lost(error);
        },
      );
    });
  }

  #next(delayMs: number): void {
    if (!this.#ended) this.#arm(delayMs);
  }

  #lost(why: Error | null): void {
    if (this.#ended) return;
    this.stop();
    this.#options.onLost(why);
  }

  async #renew(): Promise<boolean> {
    const { store, key, format, isOurs, onBeat } = this.#options;
    this.#beat += 1;
    const written = await store.replace(key, format(this.#beat), this.#revision);
    // A beat that seemed to fail may have been written: then the one that stands is ours.
    const standing = written ?? (await store.find(key));
    if (standing === null || !isOurs(standing)) return false;
    this.#revision = standing.revision;
    onBeat?.();
    return true;
  }
}
