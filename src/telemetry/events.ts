/**
 * `events.jsonl`: what happened to a run besides its steps, one JSON object an event: time, kind, and the fields of that
 * kind. Never cut: a rollback is an event too.
 */
import { closeSync, openSync } from 'node:fs';
import { appendLine } from './append_line.ts';

export type EventFields = Readonly<Record<string, string | number | boolean | null>>;

export class EventsLog {
  readonly #file: number;
  readonly #nowMs: () => number;

  /** Opens or creates the log. `nowMs` is milliseconds since 1970. */
  constructor(path: string, nowMs: () => number = Date.now) {
    this.#file = openSync(path, 'a');
    this.#nowMs = nowMs;
  }

  /** Appends one event, such as `started`, `checkpoint`, `rolled_back`. */
  append(kind: string, fields: EventFields = {}): void {
    const time = new Date(this.#nowMs()).toISOString();
    appendLine(this.#file, JSON.stringify({ time, kind, ...fields }));
  }

  close(): void {
    closeSync(this.#file);
  }
}
