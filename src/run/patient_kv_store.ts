/**
 * A patient store is the one that all nodes share, for those who cannot go on without an answer: while the server is
 * away they wait, and go on when it is back, unless all is over before.
 */
import { tagOf, type Clock } from '../runtime/index.ts';
import type { KvEntry, KvStore } from '../runtime/cluster/nats.ts';

const RETRY_MS = 200;
const POLL_MS = 20;

/**
 * Calls are made again for as long as they fail with `KvUnavailable`, each for `patienceMs`; once `signal` is aborted, no
 * more. A `replace` or `remove` that was done although it seemed to fail finds, when made again, that another revision
 * stands.
 */
export class PatientKvStore implements KvStore {
  private readonly store: KvStore;
  private readonly clock: Clock;
  private readonly signal: AbortSignal;
  private readonly patienceMs: number;

  constructor(store: KvStore, clock: Clock, signal: AbortSignal, patienceMs = Infinity) {
    this.store = store;
    this.clock = clock;
    this.signal = signal;
    this.patienceMs = patienceMs;
  }

  find(key: string): Promise<KvEntry | null> {
    return this.patiently(() => this.store.find(key));
  }

  createOrGet(key: string, value: string): Promise<KvEntry> {
    return this.patiently(() => this.store.createOrGet(key, value));
  }

  replace(key: string, value: string, revision: number): Promise<KvEntry | null> {
    return this.patiently(() => this.store.replace(key, value, revision));
  }

  remove(key: string, revision: number): Promise<boolean> {
    return this.patiently(() => this.store.remove(key, revision));
  }

  keys(prefix: string): Promise<readonly string[]> {
    return this.patiently(() => this.store.keys(prefix));
  }

  list(prefix: string): Promise<readonly KvEntry[]> {
    return this.patiently(() => this.store.list(prefix));
  }

  /** Looks again and again until there is something; null once all is over. */
  async awaited<T>(look: () => Promise<T | null>): Promise<T | null> {
    while (!this.signal.aborted) {
      const found = await look();
      if (found !== null) return found;
      await this.pause(POLL_MS);
    }
    return null;
  }

  private async patiently<T>(call: () => Promise<T>): Promise<T> {
    const startMs = this.clock.now();
    for (;;) {
      try {
        return await call();
      } catch (error) {
        if (tagOf(error) !== 'KvUnavailable' || this.signal.aborted) throw error;
        if (this.clock.now() - startMs >= this.patienceMs) throw error;
        await this.pause(RETRY_MS);
        if (this.signal.aborted) throw error;
      }
    }
  }

  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        timer.cancel();
        this.signal.removeEventListener('abort', end);
        resolve();
      };
      const timer = this.clock.after(ms, end);
      this.signal.addEventListener('abort', end);
    });
  }
}
