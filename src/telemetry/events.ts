/**
 * `events.jsonl`: what happened to a run besides its steps, one JSON object an event: time, kind, and the fields of that
 * kind. Never cut: a rollback is an event too.
 */
import { AppendedFile } from './appended_file.ts';

type EventField = string | number | boolean | null;

export type EventFields = Readonly<Record<string, EventField | Readonly<Record<string, EventField>>>>;

export class EventsLog {
  readonly #file: AppendedFile;
  readonly #nowMs: () => number;

  /** Opens or creates the log. `nowMs` is milliseconds since 1970. Throws `LogIo`. */
  constructor(path: string, nowMs: () => number = Date.now) {
    this.#file = new AppendedFile(path);
    this.#nowMs = nowMs;
  }

  /** Appends one event, such as `started`, `checkpoint`, `rolled_back`. Throws `LogIo`. */
  append(kind: string, fields: EventFields = {}): void {
    const time = new Date(this.#nowMs()).toISOString();
    this.#file.append(JSON.stringify({ time, kind, ...fields }));
  }

  close(): void {
    this.#file.close();
  }
}
