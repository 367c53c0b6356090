/** Starts a node of worker threads for a test: the main thread's system, and per worker a sink and an actor of hands. */

import {
  startWorkers,
  type WorkerFailed,
  type WorkerHost,
  type WorkerHostOptions,
} from '../../../src/runtime/cluster/index.ts';
import { ActorSystem, type LogRecord, type Ref } from '../../../src/runtime/index.ts';
import { Sink, sinkProtocol, workerProtocol, type SinkRef } from './thread_actors.ts';

export interface Threads {
  readonly host: WorkerHost;
  readonly system: ActorSystem;
  readonly failures: WorkerFailed[];
  readonly log: LogRecord[];
  /** Of the main thread, then of the workers. */
  readonly sinks: readonly SinkRef[];
  /** Of the workers. */
  readonly hands: readonly Ref<typeof workerProtocol>[];
  /** Frames in use on all threads. */
  readonly leased: () => Promise<number>;
  readonly stop: () => Promise<void>;
}

/** Does not wait until the workers are ready. */
export function openThreads(data: readonly unknown[], options: Partial<WorkerHostOptions> = {}): Threads {
  const failures: WorkerFailed[] = [];
  const log: LogRecord[] = [];
  const host = startWorkers({
    name: 'node-0',
    entry: new URL('./thread_worker.ts', import.meta.url),
    workers: data.map((each) => ({ data: each })),
    onFailure: (failure) => failures.push(failure),
    logSink: (record) => log.push(record),
    poison: true,
    ...options,
  });
  const { transport, name } = host;
  const system = new ActorSystem({
    name,
    transport,
    validate: 'always',
    askTimeoutMs: 30_000,
    logSink: (record) => log.push(record),
  });
  system.spawn(sinkProtocol, 'node-0/sink', () => new Sink());
  const hands = host.workers.map((worker) => system.ref(workerProtocol, `${worker}/hands`));
  const sinks = [name, ...host.workers].map((thread) => system.ref(sinkProtocol, `${thread}/sink`));
  return {
    host,
    system,
    failures,
    log,
    sinks,
    hands,
    async leased() {
      const counts = await Promise.all(hands.map((ref) => ref.ask.leased()));
      return counts.reduce((sum, count) => sum + count, transport.leased);
    },
    async stop() {
      await system.stop();
      await host.stop();
    },
  };
}

export async function startThreads(
  workers: number,
  options: Partial<WorkerHostOptions> = {},
  data?: unknown,
): Promise<Threads> {
  const threads = openThreads(new Array<unknown>(workers).fill(data), options);
  await threads.host.ready();
  return threads;
}
