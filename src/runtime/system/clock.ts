/**
 * Time as a port. Durations and deadlines come from `now`, which never goes back; `wallMs` is for humans. A virtual
 * clock (testing) stands still while work is outstanding, so native calls and drains are bracketed by
 * `beginNative` / `endNative`.
 */

export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Monotonic milliseconds, from an arbitrary start. */
  now(): number;
  /** Milliseconds since 1970. */
  wallMs(): number;
  /** Calls `fire` once, `delayMs` from now. */
  after(delayMs: number, fire: () => void): Timer;
  /** Work begins that virtual time must not overtake; ended by one `endNative`. */
  beginNative(): void;
  endNative(): void;
}

/** Real time. */
export class SystemClock implements Clock {
  now(): number {
    return performance.now();
  }
  wallMs(): number {
    return Date.now();
  }
  after(delayMs: number, fire: () => void): Timer {
    const timeout = setTimeout(fire, delayMs);
    return { cancel: () => clearTimeout(timeout) };
  }
  beginNative(): void {
    // Real time waits for nobody.
  }
  endNative(): void {
    // Real time waits for nobody.
  }
}
