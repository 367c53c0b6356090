/**
 * The asks that wait for an answer, by the id they were sent with. Each has a deadline; all deadlines share one timer.
 */

import type { Address } from './address.ts';
import type { Clock } from './clock.ts';
import { Deadlines, type Deadline } from './deadlines.ts';
import type { Route } from './envelope.ts';
import { AskTimeout, NoSuchActor, WrongGen } from './errors.ts';

/** What is known of the actor asked, for the report of a timeout. */
export type Inspect = (address: Address) => {
  readonly mailboxDepth: number | null;
  readonly lastHandled: string | null;
};

export class Asks {
  readonly #pending = new Map<number, Pending>();
  readonly #deadlines: Deadlines;
  readonly #clock: Clock;
  readonly #inspect: Inspect;

  constructor(clock: Clock, inspect: Inspect) {
    this.#clock = clock;
    this.#inspect = inspect;
    this.#deadlines = new Deadlines(clock);
  }

  get size(): number {
    return this.#pending.size;
  }

  /** Waits for the answer to message `id`; rejects with `AskTimeout` after `timeoutMs`. */
  open(id: number, route: Route, gen: number, timeoutMs: number): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const pending = new Pending(this, id, route, gen, this.#clock.now(), timeoutMs, resolve, reject);
      this.#pending.set(id, pending);
      this.#deadlines.add(pending);
    });
  }

  /** The ask that message `id` opened, no longer waiting; undefined if nobody waits, or for an answer from `by`. */
  take(id: number, by?: Address): Pending | undefined {
    const pending = this.#pending.get(id);
    if (pending === undefined || (by !== undefined && by !== pending.route.to)) return undefined;
    this.#pending.delete(id);
    this.#deadlines.meet(pending);
    return pending;
  }

  expire(pending: Pending, nowMs: number): void {
    this.#pending.delete(pending.id);
    const { to, message } = pending.route;
    pending.reject(new AskTimeout(to, message, { waitedMs: nowMs - pending.sinceMs, ...this.#inspect(to) }));
  }

  /** Fails the asks of former gens. */
  enter(gen: number): void {
    for (const { id, route, gen: asked } of [...this.#pending.values()]) {
      if (!route.fenced || asked === gen) continue;
      this.take(id)?.reject(new WrongGen(route.to, route.message, asked, gen));
    }
  }

  /** Fails the asks to actors that are out of reach. */
  lost(isLost: (address: Address) => boolean): void {
    for (const { id, route } of [...this.#pending.values()]) {
      if (isLost(route.to)) this.take(id)?.reject(new NoSuchActor(route.to, route.message));
    }
  }

  /** Fails all with `error` and stops the timer. */
  stop(error: Error): void {
    for (const id of [...this.#pending.keys()]) this.take(id)?.reject(error);
    this.#deadlines.stop();
  }
}

export class Pending implements Deadline {
  readonly id: number;
  readonly route: Route;
  readonly gen: number;
  readonly sinceMs: number;
  readonly dueMs: number;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
  met = false;
  readonly #asks: Asks;

  constructor(
    asks: Asks,
    id: number,
    route: Route,
    gen: number,
    sinceMs: number,
    timeoutMs: number,
    resolve: (value: unknown) => void,
    reject: (error: unknown) => void,
  ) {
    this.#asks = asks;
    this.id = id;
    this.route = route;
    this.gen = gen;
    this.sinceMs = sinceMs;
    this.dueMs = sinceMs + timeoutMs;
    this.resolve = resolve;
    this.reject = reject;
  }

  expire(nowMs: number): void {
    this.#asks.expire(this, nowMs);
  }
}
