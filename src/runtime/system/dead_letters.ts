/**
 * The messages that nobody took. Each is counted, and told as an event with who sent it, to whom, what, and why it was
 * not taken. A storm of the same is told once in a while, with how many there were since.
 */

import type { Address } from './address.ts';
import type { Clock } from './clock.ts';
import type { Counters } from './counters.ts';
import type { Route } from './envelope.ts';
import { loggerFor, type LogSink } from './log.ts';
import { supervisorProtocol } from './supervisor.ts';

/**
 * Why a message was not taken: nobody lives there; the receiver ended with it in its mailbox, or ends; the sender, or
 * the system, had ended; the data lane was full; its gen was not entered yet; its parameter version had passed.
 */
export type DeadLetterReason =
  | 'no such actor'
  | 'receiver ended'
  | 'sender ended'
  | 'system stopped'
  | 'mailbox full'
  | 'gen not entered'
  | 'stale parameters';

export interface DeadLetter {
  readonly from: Address;
  readonly to: Address;
  readonly message: string;
  readonly why: DeadLetterReason;
  /** How many of the same (to, message, why) there were since the last that was told, this one among them. */
  readonly count: number;
}

/** The same letter is told once in this time, in milliseconds. */
export const DEAD_LETTER_WINDOW_MS = 10_000;
/** Kinds of letters that are remembered at a time. */
const KINDS = 256;

interface Told {
  from: Address;
  readonly route: Route;
  readonly why: DeadLetterReason;
  readonly sinceMs: number;
  untold: number;
}

export class DeadLetters {
  readonly #clock: Pick<Clock, 'now'>;
  readonly #counters: Counters;
  readonly #tell: (letter: DeadLetter) => void;
  readonly #told = new Map<string, Told>();

  constructor(clock: Pick<Clock, 'now'>, counters: Counters, tell: (letter: DeadLetter) => void) {
    this.#clock = clock;
    this.#counters = counters;
    this.#tell = tell;
  }

  /** Counts and tells a message to nobody. News of its actors' ends to a supervisor that has given up is none. */
  add(route: Route, why: DeadLetterReason): void {
    if (route.protocol === supervisorProtocol.name) return;
    this.#counters.deadLetters += 1;
    this.#report(route, why);
  }

  /** Tells a message that was refused, and counted as that; whoever asked is answered, and is not told. */
  refused(route: Route, why: DeadLetterReason): void {
    if (route.kind === 'tell') this.#report(route, why);
  }

  /** Tells what was counted and not told yet. */
  flush(): void {
    for (const told of this.#told.values()) this.#tellRest(told);
    this.#told.clear();
  }

  #report(route: Route, why: DeadLetterReason): void {
    const { from, to, message } = route;
    const nowMs = this.#clock.now();
    const key = `${to} ${message} ${why}`;
    const told = this.#told.get(key);
    if (told !== undefined && nowMs - told.sinceMs < DEAD_LETTER_WINDOW_MS) {
      told.untold += 1;
      told.from = from;
      return;
    }
    this.#told.delete(key);
    this.#told.set(key, { from, route, why, sinceMs: nowMs, untold: 0 });
    this.#tell({ from, to, message, why, count: 1 + (told?.untold ?? 0) });
    if (this.#told.size > KINDS) this.#forgetOldest();
  }

  #forgetOldest(): void {
    for (const [key, told] of this.#told) {
      this.#told.delete(key);
      return this.#tellRest(told);
    }
  }

  #tellRest({ from, route: { to, message }, why, untold }: Told): void {
    if (untold > 0) this.#tell({ from, to, message, why, count: untold });
  }
}

/** Writes dead letters as lines of their receivers' addresses, of no level that a screen shows: the end of a run makes some. */
export const deadLetterLog =
  (sink: LogSink) =>
  ({ from, to, message, why, count }: DeadLetter): void => {
    loggerFor(to, sink).info(`dead letter: '${message}' from ${from} (${why})`, { from, message, why, count });
  };
