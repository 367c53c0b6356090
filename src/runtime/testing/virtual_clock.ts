/**
 * Time that stands still until a test moves it. Between two timers everything that can happen without time passing
 * happens: virtual time waits for drains and native calls (`beginNative` … `endNative`) that are outstanding.
 */

import type { Clock, Timer } from '../system/clock.ts';

interface Alarm extends Timer {
  readonly dueMs: number;
  readonly fire: () => void;
}

export class VirtualClock implements Clock {
  #nowMs = 0;
  /** By due time, those set first in front. */
  #alarms: Alarm[] = [];
  #outstanding = 0;
  /** Counts beginnings, to tell a quiet turn from one in which work came and went. */
  #begun = 0;
  #quiet: (() => void)[] = [];
  readonly #startWallMs: number;

  constructor(startWallMs = Date.UTC(2000, 0, 1)) {
    this.#startWallMs = startWallMs;
  }

  now(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return this.#startWallMs + this.#nowMs;
  }

  /** Timers that have neither fired nor been cancelled. */
  get pending(): number {
    return this.#alarms.length;
  }

  after(delayMs: number, fire: () => void): Timer {
    const alarm: Alarm = {
      dueMs: this.#nowMs + Math.max(0, delayMs),
      fire,
      cancel: () => {
        this.#alarms = this.#alarms.filter((other) => other !== alarm);
      },
    };
    const index = this.#alarms.findIndex(({ dueMs }) => dueMs > alarm.dueMs);
    this.#alarms.splice(index === -1 ? this.#alarms.length : index, 0, alarm);
    return alarm;
  }

  beginNative(): void {
    this.#outstanding += 1;
    this.#begun += 1;
  }

  endNative(): void {
    if (this.#outstanding === 0) throw new RangeError('virtual clock: endNative without beginNative; pair the calls');
    this.#outstanding -= 1;
    if (this.#outstanding === 0) for (const resolve of this.#quiet.splice(0)) resolve();
  }

  /** Moves time by `ms`, firing what falls due in order, each with all that follows from it before the next. */
  async advance(ms: number): Promise<void> {
    const targetMs = this.#nowMs + ms;
    await this.settle();
    for (let next = this.#alarms.at(0); next !== undefined && next.dueMs <= targetMs; next = this.#alarms.at(0)) {
      next.cancel();
      this.#nowMs = next.dueMs;
      next.fire();
      await this.settle();
    }
    this.#nowMs = targetMs;
  }

  /** Resolves when nothing more happens without time passing. */
  async settle(): Promise<void> {
    for (let isQuiet = false; !isQuiet;) {
      const before = this.#begun;
      // What promises alone bring about is over by the next turn; so is what the end of native work does, one turn later.
      await new Promise((resolve) => setImmediate(resolve));
      isQuiet = this.#begun === before && this.#outstanding === 0;
      if (this.#outstanding > 0) await new Promise<void>((resolve) => this.#quiet.push(resolve));
    }
  }
}
