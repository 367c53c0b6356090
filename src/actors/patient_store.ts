/**
 * Calls to the store that all nodes share, by those who cannot go on without an answer: while the server is away
 * everything freezes, and goes on when it is back. Every call is safe to repeat.
 */
import { tagOf, type Clock } from '../runtime/index.ts';

const RETRY_MS = 200;

/** What `call` comes to, tried again for as long as it fails with `KvUnavailable`. Throws its other errors. */
export async function whenAvailable<T>(clock: Clock, call: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (tagOf(error) !== 'KvUnavailable') throw error;
      await new Promise<void>((resolve) => clock.after(RETRY_MS, resolve));
    }
  }
}
