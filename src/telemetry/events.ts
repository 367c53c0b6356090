/**
 * `events.jsonl`: what happened to a run besides its steps, one JSON object an event: time, kind, and the fields of that
 * kind. Never cut: a rollback is an event too.
 */
import { AppendedFile } from './appended_file.ts';

type EventField = string | number | boolean | null;

export type EventFields = Readonly<Record<string, EventField | Readonly<Record<string, EventField>>>>;

export class EventsLog {
  readonly path: string;
  readonly #file: AppendedFile;
  readonly #nowMs: () => number;

  /** Opens or creates the log; a torn last line, left by a crash, is cut off. `nowMs`: since 1970. Throws `LogIo`. */
  constructor(path: string, nowMs: () => number = Date.now) {
    this.path = path;
    this.#file = new AppendedFile(path);
    this.#nowMs = nowMs;
  }

  /** Appends one event, such as `started`, `checkpoint`, `rolled_back`. Throws `LogIo`. */
  append(kind: string, fields: EventFields = {}): void {
    const time = new Date(this.#nowMs()).toISOString();
    this.#file.append(JSON.stringify({ time, kind, ...fields }));
  }

  /** Returns once the events would survive a loss of power. Throws `LogIo`. */
  sync(): void {
    this.#file.sync();
  }

  close(): void {
    this.#file.close();
  }
}
