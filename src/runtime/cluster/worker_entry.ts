/**
 * The worker entry is the worker's side: what the module of a worker thread calls. It finds its seat, makes its system,
 * and from then on answers pings and stops when told to: first its system, then what the set-up returned, then its
 * channels; the thread ends by itself. What nobody catches is reported and ends the node, but not this thread: a native
 * run may be under way.
 *
 *     await enterWorker(({ createSystem, data }) => {
 *       const device = openDevice(optionsSchema.parse(data));
 *       const system = createSystem();
 *       system.start(...);
 *       return () => device.close();
 *     });
 */

import { parentPort, workerData, type MessagePort } from 'node:worker_threads';
import { describeError } from '../system/errors.ts';
import type { LogRecord, LogSink } from '../system/log.ts';
import { ActorSystem, type SystemOptions } from '../system/system.ts';
import { ThreadTransport } from '../transport/thread_transport.ts';
import { compactHeap } from './compact_heap.ts';
import { NotAWorker } from './worker_errors.ts';
import { SharedFlightRecord } from './worker_flight_record.ts';
import { WorkerLog } from './worker_log.ts';
import { startDataSchema, orderSchema, type StartData, type Report } from './worker_messages.ts';

/** What a worker may choose of its system; its log goes to the main thread, unless it has a sink of its own. */
export type WorkerSystemOptions = Omit<SystemOptions, 'transport' | 'name' | 'flight'>;

export interface WorkerScope {
  /** The name of this thread and its system. */
  readonly name: string;
  /** The worker's number among those of its node, from 0. */
  readonly index: number;
  /** The `data` of the `WorkerSpec`, not checked. */
  readonly data: unknown;
  /** Frames in use, for tests. */
  readonly transport: ThreadTransport;
  /** The system of this worker; call it once. If its root supervisor gives up, that is a failure of the worker. */
  readonly createSystem: (options?: WorkerSystemOptions) => ActorSystem;
  /** Reports the worker failed, by what happened outside of its actors: the end of its node. */
  readonly fail: (error: unknown) => void;
}

/** Called last, when the worker stops. */
export type Cleanup = () => void | Promise<void>;

/** Runs `setup` and reports the worker ready, or failed with what it threw. Throws `NotAWorker`. */
export async function enterWorker(
  setup: (scope: WorkerScope) => Cleanup | undefined | Promise<Cleanup | undefined>,
): Promise<void> {
  if (parentPort === null) throw new NotAWorker('this is no worker thread');
  const startData = startDataSchema.safeParse(workerData);
  if (!startData.success) throw new NotAWorker('this thread was not started by startWorkers');
  await new WorkerLife(parentPort, startData.data).run(setup);
}

class WorkerLife {
  readonly #port: MessagePort;
  readonly #startData: StartData;
  readonly #transport: ThreadTransport;
  readonly #log: WorkerLog;
  #system: ActorSystem | null = null;
  readonly #stop = Promise.withResolvers<undefined>();

  constructor(port: MessagePort, startData: StartData) {
    this.#port = port;
    this.#startData = startData;
    this.#transport = new ThreadTransport(startData.seat);
    this.#log = new WorkerLog(startData.log);
  }

  async run(setup: Parameters<typeof enterWorker>[0]): Promise<void> {
    process.on('uncaughtException', (error) => this.#fail(error));
    const beat = new Int32Array(this.#startData.beat);
    this.#port.on('message', (message: unknown) => {
      const order = orderSchema.parse(message);
      if (order.kind === 'ping') Atomics.store(beat, 0, order.number);
      else this.#stop.resolve(undefined);
    });
    let cleanup: Cleanup | undefined;
    try {
      cleanup = await setup(this.#scope());
      compactHeap();
      this.#report({ kind: 'ready' });
    } catch (error) {
      this.#fail(error);
    }
    await this.#stop.promise;
    await this.#end(cleanup);
  }

  #scope(): WorkerScope {
    const { seat, data } = this.#startData;
    const createSystem = (options: WorkerSystemOptions = {}): ActorSystem => this.#createSystem(options);
    const fail = (error: unknown): void => this.#fail(error);
    return { name: this.#transport.name, index: seat.index - 1, data, transport: this.#transport, createSystem, fail };
  }

  #createSystem(options: WorkerSystemOptions): ActorSystem {
    const sink = options.logSink ?? ((record: LogRecord) => this.#report({ kind: 'log', record }));
    const logSink: LogSink = (record) => {
      this.#log.write(`${record.level} ${record.address} ${record.text}`);
      sink(record);
    };
    const onFailure = (error: string): void => this.#report({ kind: 'failed', error });
    const { name } = this.#transport;
    const flight = new SharedFlightRecord(this.#startData.flight);
    this.#system = new ActorSystem({ onFailure, ...options, name, transport: this.#transport, flight, logSink });
    return this.#system;
  }

  #fail(error: unknown): void {
    const text = describeError(error);
    this.#log.write(`error ${this.#transport.name} ${error instanceof Error ? (error.stack ?? text) : text}`);
    this.#report({ kind: 'failed', error: text });
  }

  async #end(cleanup: Cleanup | undefined): Promise<void> {
    try {
      await this.#system?.stop();
      await cleanup?.();
    } catch (error) {
      this.#fail(error);
    }
    this.#transport.close();
    this.#port.close();
  }

  #report(report: Report): void {
    this.#port.postMessage(report);
  }
}
