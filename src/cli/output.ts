/**
 * Standard output and standard error, as the commands write to them. A write that fails (the disk is full, the reader is
 * gone) ends nothing: what it had is lost and counted, and told once at the end.
 */
import { codeOf, diskRemedy } from '../system_error.ts';

export interface Lost {
  readonly lines: number;
  /** The system's code of the last failure, such as `ENOSPC`. */
  readonly code: string;
}

/** What an output needs to know of a stream; `process.stdout` is one. */
export interface Sink {
  write(text: string, taken: (error?: Error | null) => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
}

/** Codes of a reader that has gone away, as `head` does: it has what it wanted, and nothing is lost on it. */
const unread: ReadonlySet<string> = new Set(['EPIPE', 'ERR_STREAM_DESTROYED']);

export class Output {
  readonly #stream: Sink;
  readonly #name: string;
  #lost: Lost | null = null;
  /** What the last failed write of ours failed with: the stream says it once more. */
  #heard: unknown = null;
  #isUnread = false;
  #taken: Promise<void> = Promise.resolve();

  /** From here on a failure of the stream is no uncaught error, whoever wrote to it. */
  constructor(stream: Sink, name: string) {
    this.#stream = stream;
    this.#name = name;
    stream.on('error', (error) => {
      if (error !== this.#heard) this.#failed(1, error);
    });
  }

  /** What could not be written; null where all was, or nobody reads it. */
  get lost(): Lost | null {
    return this.#lost;
  }

  /** Whether the reader is known to have gone away. */
  get isUnread(): boolean {
    return this.#isUnread;
  }

  /** `standard output: 12 lines were lost (ENOSPC); free space on that disk`; null where nothing is lost. */
  get lossLine(): string | null {
    if (this.#lost === null) return null;
    const { lines, code } = this.#lost;
    const what = lines === 1 ? '1 line was lost' : `${lines} lines were lost`;
    return `${this.#name}: ${what} (${code}); ${diskRemedy(code)}`;
  }

  write(text: string): void {
    const lines = Math.max(1, text.split('\n').length - 1);
    this.#taken = new Promise((resolve) => {
      this.#stream.write(text, (error) => {
        if (error instanceof Error) this.#failed(lines, error);
        resolve();
      });
    });
  }

  print(line: string): void {
    this.write(`${line}\n`);
  }

  /** Resolves when what was written has been taken, or is lost. */
  settled(): Promise<void> {
    return this.#taken;
  }

  #failed(lines: number, error: unknown): void {
    this.#heard = error;
    const code = codeOf(error);
    if (unread.has(code)) {
      this.#isUnread = true;
      return;
    }
    this.#lost = { lines: (this.#lost?.lines ?? 0) + lines, code };
  }
}

export const stdout = new Output(process.stdout, 'standard output');
export const stderr = new Output(process.stderr, 'standard error');
