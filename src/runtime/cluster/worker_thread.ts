/**
 * A worker thread, as the main thread sees it, is started, says that it is ready, answers pings, and ends when told to.
 * If it errs or hangs, that is reported once, with an exit report from the memory that it shared. It is never
 * terminated from outside, since a native run may be under way.
 */

import { Worker, type ResourceLimits } from 'node:worker_threads';
import { codeOf, saysOutOfMemory } from '../../system_error.ts';
import type { Clock, Timer } from '../system/clock.ts';
import { describeError } from '../system/errors.ts';
import type { LogSink } from '../system/log.ts';
import { portsOf, type ThreadSeat } from '../transport/thread_mesh.ts';
import { WorkerFailed, type WorkerFailureCause } from './worker_errors.ts';
import { createFlightMemory, SharedFlightRecord } from './worker_flight_record.ts';
import { createLogMemory, WorkerLog } from './worker_log.ts';
import { reportSchema, type StartData, type Order } from './worker_messages.ts';
import { tick, WATCH_START } from './worker_watchdog.ts';

export interface WorkerThreadOptions {
  readonly seat: ThreadSeat;
  readonly entry: URL;
  readonly data: unknown;
  readonly clock: Clock;
  readonly pingMs: number;
  readonly hangMs: number;
  readonly resourceLimits: ResourceLimits;
  readonly logSink: LogSink;
  /** Called once, for the first failure; not for what a worker does that was never ready, which `ready` tells. */
  readonly onFailure: (failure: WorkerFailed) => void;
}

export class WorkerThread {
  readonly name: string;
  /** Resolves when the worker's set-up is done; rejects with `WorkerFailed`. */
  readonly ready: Promise<unknown>;
  /** Resolves when the thread has ended, however. */
  readonly ended: Promise<unknown>;
  isReady = false;
  hasEnded = false;
  failure: WorkerFailed | null = null;
  readonly #options: WorkerThreadOptions;
  readonly #worker: Worker;
  readonly #beat = new Int32Array(new SharedArrayBuffer(4));
  readonly #flight = createFlightMemory();
  readonly #log = createLogMemory();
  readonly #ready = Promise.withResolvers<undefined>();
  readonly #ended = Promise.withResolvers<undefined>();
  #watch = WATCH_START;
  #timer: Timer | null = null;
  #isStopping = false;

  constructor(options: WorkerThreadOptions) {
    const { seat, entry, data, resourceLimits } = options;
    this.#options = options;
    this.name = seat.names[seat.index];
    this.ready = this.#ready.promise;
    this.ended = this.#ended.promise;
    // Whoever does not wait for it hears of the failure all the same.
    this.ready.catch(() => undefined);
    const startData: StartData = { seat, beat: this.#beatMemory, flight: this.#flight, log: this.#log, data };
    const transferList = portsOf(seat);
    this.#worker = new Worker(entry, { name: this.name, workerData: startData, transferList, resourceLimits });
    this.#worker.on('message', (message: unknown) => this.#hear(message));
    // It has none of its own any more when it has ended.
    const { maxOldGenerationSizeMb: heapMb = 0 } = this.#worker.resourceLimits ?? {};
    this.#worker.on('error', (error) => {
      if (codeOf(error) !== 'ERR_WORKER_OUT_OF_MEMORY') this.fail('ended', describeError(error));
      else this.fail('out of memory', `its JavaScript heap of ${heapMb} MiB is full`);
    });
    this.#worker.on('exit', (code) => this.#end(code));
  }

  /** Tells the worker to stop; `ended` resolves when it has. */
  stop(): void {
    if (this.#isStopping) return;
    this.#isStopping = true;
    this.#timer?.cancel();
    if (!this.hasEnded) this.#order({ kind: 'stop' });
  }

  /** Reports the worker as failed, if it was not before, and waits for it no longer. */
  fail(kind: WorkerFailureCause, detail: string): void {
    if (this.failure !== null) return;
    this.#timer?.cancel();
    const flight = new SharedFlightRecord(this.#flight).entries();
    this.failure = new WorkerFailed(this.name, kind, detail, { log: new WorkerLog(this.#log).lines(), flight });
    const wasReady = this.isReady;
    this.#ready.reject(this.failure);
    if (kind === 'hung') this.#worker.unref();
    if (wasReady) this.#options.onFailure(this.failure);
  }

  get #beatMemory(): SharedArrayBuffer {
    const { buffer } = this.#beat;
    return buffer;
  }

  #hear(message: unknown): void {
    const report = reportSchema.parse(message);
    if (report.kind === 'log') this.#options.logSink(report.record);
    else if (report.kind === 'failed')
      this.fail(saysOutOfMemory(report.error) ? 'out of memory' : 'threw', report.error);
    else {
      this.isReady = true;
      this.#ready.resolve(undefined);
      if (!this.#isStopping) this.#tick();
    }
  }

  #tick(): void {
    const { clock, pingMs, hangMs } = this.#options;
    const { state, hangs } = tick(this.#watch, Atomics.load(this.#beat, 0), Math.ceil(hangMs / pingMs));
    this.#watch = state;
    if (hangs) return this.fail('hung', `no answer to ${state.silentTicks} pings in ${state.silentTicks * pingMs} ms`);
    this.#order({ kind: 'ping', number: state.sent });
    this.#timer = clock.after(pingMs, () => this.#tick());
  }

  #order(order: Order): void {
    this.#worker.postMessage(order);
  }

  #end(code: number): void {
    this.hasEnded = true;
    if (!this.#isStopping || !this.isReady) this.fail('ended', `its thread ended with code ${code}`);
    this.#timer?.cancel();
    this.#ended.resolve(undefined);
  }
}
