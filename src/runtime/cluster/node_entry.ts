/**
 * The node entry is the node's side: what the module of a node process calls. It reads its start data from its standard
 * input, sets the node up, and stops it when told to. If the pipe closes instead, its launcher is gone and so is this
 * process, at once; and so it is when it fails, after saying why. It always ends by SIGKILL: `process.exit` in the
 * middle of a native run would abort.
 *
 *     await enterNode(async ({ name, data, fail }) => {
 *       const host = startWorkers({ name, ..., onFailure: fail });
 *       ...
 *       return () => host.stop();
 *     });
 */

import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { describeError, tagOf } from '../system/errors.ts';
import { compactHeap } from './compact_heap.ts';
import { NotANode } from './node_errors.ts';
import { NEWS_FD, nodeStartDataSchema, nodeOrderSchema, type NodeNews } from './node_messages.ts';
import { WorkerFailed } from './worker_errors.ts';

export interface NodeScope {
  readonly name: string;
  /** The `data` that the launcher gave, not checked. */
  readonly data: unknown;
  /** Ends this process, with the error as its last words. */
  readonly fail: (error: unknown) => void;
  /** Resolves when the node is to stop, also while it sets itself up. */
  readonly stopping: Promise<unknown>;
}

/** Runs `setup`, waits until the node is to stop, and cleans up. Throws `NotANode`. */
export async function enterNode(setup: (scope: NodeScope) => Promise<() => Promise<void>>): Promise<void> {
  if (process.stdin.isTTY) throw new NotANode('its input is a terminal');
  const lines = createInterface({ input: process.stdin, crlfDelay: Infinity });
  const startData = Promise.withResolvers<unknown>();
  const stopping = Promise.withResolvers<undefined>();
  let isStopping = false;
  lines.once('line', (line) => {
    startData.resolve(JSON.parse(line));
    lines.on('line', (order) => {
      nodeOrderSchema.parse(JSON.parse(order));
      isStopping = true;
      stopping.resolve(undefined);
    });
  });
  lines.on('close', () => {
    if (!isStopping) vanish();
  });
  // Its launcher ends it, by the pipe. A batch system, or systemd, sends its signals to all processes of a job.
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const) process.on(name, () => undefined);
  process.on('uncaughtException', fail);
  process.on('unhandledRejection', fail);
  const { name, data } = nodeStartDataSchema.parse(await startData.promise);
  process.title = `troupe ${name}`;
  try {
    const cleanUp = await setup({ name, data, fail, stopping: stopping.promise });
    compactHeap();
    await stopping.promise;
    await cleanUp();
  } catch (error) {
    fail(error);
  }
  lines.close();
  process.stdin.destroy();
}

function fail(error: unknown): void {
  const isOfWorker = error instanceof WorkerFailed;
  const news: NodeNews = {
    kind: 'failed',
    tag: tagOf(error),
    error:
      isOfWorker || !(error instanceof Error) || 'tag' in error
        ? describeError(error)
        : `${error.name}: ${error.message}`,
    log: isOfWorker ? [...error.log] : (error instanceof Error ? (error.stack ?? '') : '').split('\n').slice(0, 8),
    flight: isOfWorker ? [...error.flight] : [],
  };
  try {
    writeSync(NEWS_FD, `${JSON.stringify(news)}\n`);
  } finally {
    vanish();
  }
}

function vanish(): void {
  process.kill(process.pid, 'SIGKILL');
}
