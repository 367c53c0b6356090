/**
 * The threads that pack. They do all that takes time, so that the launcher's own thread hears an interrupt; what they
 * answer is taken in the order in which it was asked for, so that nothing depends on how many there are.
 */
import { availableParallelism } from 'node:os';
import { setImmediate } from 'node:timers/promises';
import { Piscina } from 'piscina';
import type { Examined } from './document.ts';
import type { MatchedFiles, Matching } from './matched_files.ts';
import type { CheckTask, EncodeTask, ExamineTask, HashedFile } from './pack_tasks.ts';
import type { PlacedPiece } from './piece_texts.ts';
import type { Refusal } from './refusal.ts';
import type { MeasureTask, RowMeasure } from './rows/row_measure.ts';
import type { RowsCheck, Samples, SampleTask } from './rows/sample_task.ts';
import { bytesOf, restart, sharedCount, stop } from './shared_count.ts';
import { valueOf, type Answer } from './task_fault.ts';
import type { Encoded } from './text_encoding.ts';

const tasks = new URL(import.meta.url.endsWith('.ts') ? './pack_tasks.ts' : './pack_tasks.js', import.meta.url);

/** Disks and the order of the stream gain nothing from more. */
const MOST_THREADS = 8;

/** Of each thread's heap, for what lives as long as a row. */
const YOUNG_MIB = 16;

export interface PackPoolOptions {
  /** Default: as many as processors, up to 8. */
  readonly threads?: number;
  /** Aborted: what is under way rejects at once with its reason, and the threads stop. */
  readonly signal?: AbortSignal | undefined;
}

export class PackPool implements AsyncDisposable {
  readonly threads: number;
  /** Answers with what the task's function in `pack_tasks` does, which the methods below say. */
  readonly #pool: Piscina<object, never>;
  readonly #shared = sharedCount();
  readonly #signal: AbortSignal | undefined;
  /** Rejects of what is under way. A promise of the abort to race with would keep every result that it raced with. */
  readonly #waiting = new Set<(reason: Error) => void>();
  #abortedBy: Error | null = null;
  #isEnded = false;

  constructor({ threads = Math.min(availableParallelism(), MOST_THREADS), signal }: PackPoolOptions = {}) {
    this.threads = threads;
    this.#signal = signal;
    this.#pool = new Piscina<object, never>({
      filename: tasks.href,
      minThreads: 1,
      maxThreads: threads,
      idleTimeout: 60_000,
      // Else a waiting thread blocks its event loop, by which the tokenizer library answers.
      atomics: 'disabled',
      // Rows become garbage at once; with as much room as V8 takes by itself there would be more of it than of anything else.
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MIB },
    });
    this.#pool.on('error', (error) => {
      // An answer that was under way when the threads were ended: nobody waits for it.
      if (!this.#isEnded) throw error;
    });
    signal?.addEventListener('abort', this.#onAbort, { once: true });
    if (signal?.aborted === true) this.#onAbort();
  }

  /** Bytes that the threads have read since `beginCount`. */
  get bytesRead(): number {
    return bytesOf(this.#shared);
  }

  beginCount(): void {
    restart(this.#shared);
  }

  find(matching: Matching): Promise<MatchedFiles> {
    return this.#run('find', matching);
  }

  examine(task: Omit<ExamineTask, 'shared'>): Promise<Examined[]> {
    return this.#run('examineAll', { ...task, shared: this.#shared });
  }

  /** What is wrong with the first piece that cannot be used; null where all can. */
  check(task: Omit<CheckTask, 'shared'>): Promise<Refusal | null> {
    return this.#run('check', { ...task, shared: this.#shared }, task.pieces);
  }

  encode(task: Omit<EncodeTask, 'shared'>): Promise<Encoded | Refusal> {
    return this.#run('encode', { ...task, shared: this.#shared }, task.pieces);
  }

  /** sha256 of a file, and how many bytes it has. */
  hash(path: string): Promise<HashedFile> {
    return this.#run('hash', { path, shared: this.#shared });
  }

  /** Looks at rows that follow each other in a file. Throws `BadRow`. */
  checkRows(task: RowsCheck): Promise<void> {
    return this.#run('checkRows', { ...task, shared: this.#shared });
  }

  /** Samples of rows that follow each other in a file. Throws `BadRow`, `BadChatTemplate`. */
  sampleRows(task: SampleTask): Promise<Samples> {
    return this.#run('sampleRows', { ...task, shared: this.#shared });
  }

  /** Lengths and counts of rows that follow each other in a file. Throws `BadRow`, `BadChatTemplate`. */
  measureRows(task: MeasureTask): Promise<RowMeasure> {
    return this.#run('measureRows', { ...task, shared: this.#shared });
  }

  /** Whether the packed samples in a folder are what their index says. */
  areWholeRows(folder: string): Promise<boolean> {
    return this.#run('areWholeRows', { folder, shared: this.#shared });
  }

  /** Whether the packed corpus in a folder is what its index says. */
  isWhole(folder: string): Promise<boolean> {
    return this.#run('isWhole', { folder, shared: this.#shared });
  }

  /** Runs tasks side by side, a few ahead of what is taken, and yields their results in the order of the items. */
  async *inOrder<T, R>(items: Iterable<T> | AsyncIterable<T>, run: (item: T) => Promise<R>): AsyncGenerator<R> {
    const waiting: Promise<R>[] = [];
    for await (const item of items) {
      const result = run(item);
      // Whoever takes it hears of its failure; after another's nobody does.
      result.catch(() => undefined);
      waiting.push(result);
      if (waiting.length > 2 * this.threads) yield await waiting[0].finally(() => void waiting.shift());
    }
    for (const result of waiting) yield await result;
  }

  /** Lets the caller's thread hear what waits for it, as an interrupt. Throws the reason of an abort. */
  readonly pause = async (): Promise<void> => {
    await setImmediate();
    if (this.#abortedBy !== null) throw this.#abortedBy;
  };

  /** Ends the threads, once they are where they can be ended; after an abort nobody waits for that. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isEnded = true;
    stop(this.#shared);
    this.#signal?.removeEventListener('abort', this.#onAbort);
    const ended = this.#pool.destroy();
    if (this.#signal?.aborted !== true) return await ended;
    ended.catch(() => undefined);
  }

  readonly #onAbort = (): void => {
    stop(this.#shared);
    const reason: unknown = this.#signal?.reason;
    this.#abortedBy = reason instanceof Error ? reason : new Error('packing was stopped');
    for (const reject of this.#waiting) reject(this.#abortedBy);
  };

  /** Throws `BadTokenizer`, what the file system says, or the reason of an abort. */
  async #run<R>(name: string, task: object, pieces: readonly PlacedPiece[] = []): Promise<R> {
    if (this.#abortedBy !== null) throw this.#abortedBy;
    const { promise, resolve, reject } = Promise.withResolvers<Answer<R>>();
    this.#waiting.add(reject);
    const transferList = pieces.flatMap(({ bytesOfGzip }) => bytesOfGzip?.buffer ?? []);
    this.#pool.run(task, { name, transferList }).then(resolve, reject);
    try {
      return valueOf(await promise);
    } finally {
      this.#waiting.delete(reject);
    }
  }
}
