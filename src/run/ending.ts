/**
 * The ending of a launch is one thing, however it comes about: it is over when it is told to stop, or by the first failure,
 * which is then what everybody hears who waits for anything.
 */
export class Ending {
  /** Why the launch has failed; null if it has not. */
  failure: Error | null = null;
  private readonly over = new AbortController();
  private readonly failed = Promise.withResolvers<never>();
  private readonly onFailure: (error: Error) => void;

  constructor(onFailure: (error: Error) => void) {
    this.onFailure = onFailure;
    this.failed.promise.catch(() => undefined);
  }

  /** Aborted once it is over. */
  get signal(): AbortSignal {
    return this.over.signal;
  }

  /** The first failure counts; what follows from the end is none. */
  fail(error: Error): void {
    if (this.signal.aborted) return;
    this.failure = error;
    this.failed.reject(error);
    this.over.abort();
    this.onFailure(error);
  }

  stop(): void {
    this.over.abort();
  }

  /** What `work` comes to, or the failure as soon as there is one. */
  unlessFailed<T>(work: Promise<T>): Promise<T> {
    return Promise.race([work, this.failed.promise]);
  }
}
