/**
 * The answer to an ask, given apart from the handler that took the question. Settling it twice is a bug and throws;
 * one never settled ends as an `AskTimeout` at the asker.
 */

import { ProtocolError } from './errors.ts';

/** Takes the outcome of a reply to the asker. */
export interface ReplySink {
  answer(value: unknown): void;
  refuse(error: unknown): void;
}

export class Reply<R> {
  #sink: ReplySink | null;
  readonly #message: string;

  constructor(message: string, sink: ReplySink) {
    this.#message = message;
    this.#sink = sink;
  }

  /** Answers. The value is encoded before the call returns. */
  resolve(value: R): void {
    this.#take().answer(value);
  }

  /** Fails the ask with `error`; the actor itself goes on. */
  reject(error: unknown): void {
    this.#take().refuse(error);
  }

  get settled(): boolean {
    return this.#sink === null;
  }

  #take(): ReplySink {
    const sink = this.#sink;
    if (sink === null) throw new ProtocolError(this.#message, 'was answered twice; answer an ask once');
    this.#sink = null;
    return sink;
  }
}
