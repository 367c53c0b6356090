/**
 * What can go wrong with the worker threads of a node. Each class carries a tag and one line that says what, where and
 * what to do. A worker that failed or hangs is the end of its node process: native code cannot be stopped in the middle.
 */

import type { FlightEntry } from '../system/flight_record.ts';

/**
 * `threw`: its set-up, a supervisor without remedy, or anything uncaught; `ended`: its thread is gone (`process.exit`);
 * `out of memory`: the same, or it threw, for want of memory; `hung`: it answers no pings, or does not stop.
 */
export type WorkerFailureCause = 'threw' | 'ended' | 'out of memory' | 'hung';

/** What is known of a worker that erred or hangs, read from memory that it shared. */
export interface WorkerExitReport {
  /** The last log lines, oldest first. */
  readonly log: readonly string[];
  /** The last messages handled or begun, oldest first. */
  readonly flight: readonly FlightEntry[];
}

/** A worker erred or hangs. */
export class WorkerFailed extends Error {
  readonly tag = 'WorkerFailed';
  override readonly name = 'WorkerFailed';
  readonly worker: string;
  /** Not `cause`, which is the field of every Error. */
  readonly kind: WorkerFailureCause;
  readonly log: readonly string[];
  readonly flight: readonly FlightEntry[];
  constructor(worker: string, kind: WorkerFailureCause, detail: string, { log, flight }: WorkerExitReport) {
    const last = flight.at(-1);
    const during = last === undefined ? '' : `, last message '${last.message}' at ${last.address}`;
    const remedy =
      kind === 'out of memory'
        ? 'make the model or the microbatch smaller, or divide it among more workers'
        : 'end this process and start it again';
    super(`${worker}: ${kind}: ${detail.split('\n', 1)[0]}${during}; ${remedy}`);
    this.worker = worker;
    this.kind = kind;
    this.log = log;
    this.flight = flight;
  }
}

/** Workers that were not ready, or had not ended, in time. */
export class WorkersMissing extends Error {
  readonly tag = 'WorkersMissing';
  override readonly name = 'WorkersMissing';
  readonly missing: readonly string[];
  constructor(node: string, what: 'ready' | 'ended', missing: readonly string[], timeoutMs: number) {
    const remedy = what === 'ready' ? "see what holds their set-up, or raise 'readyTimeoutMs'" : 'kill this process';
    super(`${node}: not ${what} after ${timeoutMs} ms: ${missing.join(', ')}; ${remedy}`);
    this.missing = missing;
  }
}

/** The entry of a worker was run elsewhere. */
export class NotAWorker extends Error {
  readonly tag = 'NotAWorker';
  override readonly name = 'NotAWorker';
  constructor(problem: string) {
    super(`enterWorker: ${problem}; call it once, in the entry module that startWorkers is given`);
  }
}
