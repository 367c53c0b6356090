/**
 * The clock of one life of an actor: the system's, but for timers, which do not outlive the life. Once it is over those
 * that wait are cancelled, and none is set any more.
 */

import type { Clock, Timer } from './clock.ts';

export class LifeClock implements Clock {
  readonly #clock: Clock;
  readonly #timers = new Set<Timer>();
  #isOver = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  now(): number {
    return this.#clock.now();
  }

  wallMs(): number {
    return this.#clock.wallMs();
  }

  after(delayMs: number, fire: () => void): Timer {
    if (this.#isOver) return { cancel: () => undefined };
    const timer = this.#clock.after(delayMs, () => {
      this.#timers.delete(own);
      fire();
    });
    const own: Timer = {
      cancel: () => {
        this.#timers.delete(own);
        timer.cancel();
      },
    };
    this.#timers.add(own);
    return own;
  }

  beginNative(): void {
    this.#clock.beginNative();
  }

  endNative(): void {
    this.#clock.endNative();
  }

  /** Cancels all timers. */
  end(): void {
    this.#isOver = true;
    for (const timer of this.#timers) timer.cancel();
  }
}
