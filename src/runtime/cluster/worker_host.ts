/**
 * A worker host is the main thread's side of a node's workers. It starts one thread a worker from an entry module,
 * wires all of them with each other and with the main thread, watches them, and stops them cooperatively. The main
 * thread's own system is made by the caller, over `host.transport`:
 *
 *     const host = startWorkers({ name: 'node-0', entry, workers: [{ data }, { data }], onFailure });
 *     const system = new ActorSystem({ name: host.name, transport: host.transport });
 *     await host.ready();
 *     ...
 *     await system.stop();
 *     await host.stop();
 *
 * The entry module calls `enterWorker`.
 */

import type { ResourceLimits } from 'node:worker_threads';
import { SystemClock, type Clock } from '../system/clock.ts';
import { stderrSink, type LogSink } from '../system/log.ts';
import { seatThreads, type ThreadMeshOptions } from '../transport/thread_mesh.ts';
import { ThreadTransport } from '../transport/thread_transport.ts';
import { WorkersMissing, type WorkerFailed } from './worker_errors.ts';
import { WorkerThread } from './worker_thread.ts';

export interface WorkerSpec {
  /** The name of its thread and system; no '/'. Default `<node>.worker-<index>`. */
  readonly name?: string;
  /** What its entry gets; anything that structured clone takes. */
  readonly data?: unknown;
}

export interface WorkerHostOptions extends ThreadMeshOptions {
  /** The name of the node and of the main thread's system; no '/'. */
  readonly name: string;
  /** The module that each worker runs; it calls `enterWorker`. */
  readonly entry: URL;
  readonly workers: readonly WorkerSpec[];
  /** A worker that was ready has erred or hangs; once a worker. The process is to be ended, if one hangs by SIGKILL. */
  readonly onFailure: (failure: WorkerFailed) => void;
  readonly clock?: Clock;
  /** How long all workers may take to set up; default 120 s. */
  readonly readyTimeoutMs?: number;
  /** How long all workers may take to end; default 30 s. */
  readonly stopTimeoutMs?: number;
  /** Time between pings; default 1 s. */
  readonly pingMs?: number;
  /** Silence after which a worker hangs; longer than any handler may take. Default 30 s. */
  readonly hangMs?: number;
  /** Where the log of the workers' systems goes. */
  readonly logSink?: LogSink;
  readonly resourceLimits?: ResourceLimits;
}

/** A worker's garbage is small: messages' heads. V8's own choice of three times as much is never given back. */
const YOUNG_MB = 16;

/** The names of the workers' threads and systems, in order. */
export const workerNames = (node: string, workers: readonly WorkerSpec[]): string[] =>
  workers.map(({ name }, index) => name ?? `${node}.worker-${index}`);

/** Starts the workers of a node; they set up while this returns. Throws `InvalidSlots`, `RangeError` for a placement. */
export const startWorkers = (options: WorkerHostOptions): WorkerHost => new WorkerHost(options);

export class WorkerHost {
  readonly name: string;
  /** The main thread's: for one system of the name `name`. */
  readonly transport: ThreadTransport;
  readonly #clock: Clock;
  readonly #readyTimeoutMs: number;
  readonly #stopTimeoutMs: number;
  readonly #workers: readonly WorkerThread[];

  constructor(options: WorkerHostOptions) {
    const { name, entry, workers, clock = new SystemClock(), logSink = stderrSink, resourceLimits = {} } = options;
    this.name = name;
    this.#clock = clock;
    this.#readyTimeoutMs = options.readyTimeoutMs ?? 120_000;
    this.#stopTimeoutMs = options.stopTimeoutMs ?? 30_000;
    const [own, ...seats] = seatThreads([name, ...workerNames(name, workers)], options);
    this.transport = new ThreadTransport(own);
    const shared = {
      entry,
      clock,
      logSink,
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB, ...resourceLimits },
      pingMs: options.pingMs ?? 1_000,
      hangMs: options.hangMs ?? 30_000,
    };
    this.#workers = seats.map((seat, i) => {
      const onFailure = (failure: WorkerFailed): void => {
        this.transport.announceLoss(seat.index);
        options.onFailure(failure);
      };
      return new WorkerThread({ ...shared, seat, data: workers[i].data, onFailure });
    });
  }

  /** The names of the workers, in order. */
  get workers(): readonly string[] {
    return this.#workers.map(({ name }) => name);
  }

  /**
   * Resolves when all workers are set up; rejects with the first `WorkerFailed`, or `WorkersMissing` at the deadline. Then
   * too `stop` ends what has been started.
   */
  ready(): Promise<void> {
    const all = Promise.all(this.#workers.map(({ ready }) => ready));
    return this.#before(this.#readyTimeoutMs, all, () => {
      const missing = this.#workers.filter(({ isReady }) => !isReady).map(({ name }) => name);
      return new WorkersMissing(this.name, 'ready', missing, this.#readyTimeoutMs);
    });
  }

  /**
   * Has every worker stop its system, clean up and end by itself, then closes the transport. Stop the main thread's system
   * first. Those that have not ended at the deadline are reported as hung, and it rejects with `WorkersMissing`: the
   * process must then be killed.
   */
  async stop(): Promise<void> {
    for (const worker of this.#workers) worker.stop();
    const all = Promise.all(this.#workers.map(({ ended }) => ended));
    try {
      await this.#before(this.#stopTimeoutMs, all, () => this.#giveUp());
    } finally {
      this.transport.close();
    }
  }

  #giveUp(): WorkersMissing {
    const missing = this.#workers.filter(({ hasEnded }) => !hasEnded);
    for (const worker of missing) worker.fail('hung', `has not stopped in ${this.#stopTimeoutMs} ms`);
    const names = missing.map(({ name }) => name);
    return new WorkersMissing(this.name, 'ended', names, this.#stopTimeoutMs);
  }

  #before(timeoutMs: number, all: Promise<unknown>, late: () => Error): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = this.#clock.after(timeoutMs, () => reject(late()));
      all.then(() => resolve(), reject).finally(() => timer.cancel());
    });
  }
}
