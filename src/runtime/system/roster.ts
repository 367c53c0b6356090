/**
 * Who lives in this system: cells by address. The roster starts and stops them for supervisors, and when one ends it
 * tells the supervisor. An orphan (its supervisor was killed) is stopped before that supervisor's end is told.
 */

import type { ExitReason } from './actor.ts';
import type { Address } from './address.ts';
import type { Validate } from './admission.ts';
import { Cell, type CellDeps } from './cell.ts';
import type { CellHost, ChildSpec } from './child_spec.ts';
import { AddressTaken, StartFailed, SystemStopped } from './errors.ts';
import type { FlightRecord } from './flight_record.ts';
import { loggerFor, type LogSink } from './log.ts';
import type { Clock } from './clock.ts';
import type { Post } from './post.ts';
import { Scope } from './scope.ts';
import type { Scheduler } from './scheduler.ts';
import { supervisorProtocol } from './supervisor.ts';
import type { Tracing } from './tracing.ts';
import type { Transport } from './transport_port.ts';

export interface RosterOptions {
  readonly systemName: string;
  readonly post: Post;
  readonly transport: Transport;
  readonly scheduler: Scheduler;
  readonly clock: Clock;
  readonly flight: FlightRecord;
  readonly tracing: Tracing | null;
  readonly validate: Validate;
  readonly logSink: LogSink;
  /** The cells, shared with the post. */
  readonly cells: Map<Address, Cell>;
  /** The root supervisor has given up. */
  readonly onRootEnd: (reason: ExitReason, error: string | null) => void;
}

export class Roster implements CellHost {
  readonly #options: RosterOptions;
  readonly #cells: Map<Address, Cell>;
  #incarnations = 0;
  #closed = false;

  constructor(options: RosterOptions) {
    this.#options = options;
    this.#cells = options.cells;
  }

  start(spec: ChildSpec, parent: Address | null): number {
    const { address } = spec;
    const { systemName, transport, post } = this.#options;
    if (this.#closed) throw new SystemStopped(systemName);
    if (this.#cells.has(address)) throw new AddressTaken(address);
    this.#incarnations += 1;
    const cell = new Cell(this.#depsFor(address), spec, this.#incarnations, parent);
    this.#cells.set(address, cell);
    transport.register(address, post);
    try {
      cell.inhabit(spec.create(new Scope(cell), this));
    } catch (error) {
      cell.abandon();
      throw new StartFailed(address, error);
    }
    return cell.incarnation;
  }

  stop(address: Address): Promise<void> {
    return this.#cells.get(address)?.requestStop() ?? Promise.resolve();
  }

  /** Nobody starts any more. */
  close(): void {
    this.#closed = true;
  }

  #depsFor(address: Address): CellDeps {
    const { post, scheduler, clock, flight, tracing, validate, logSink } = this.#options;
    const log = loggerFor(address, logSink);
    return { post, scheduler, clock, flight, tracing, validate, log, onEnd: (...end) => this.#ended(...end) };
  }

  #ended(cell: Cell, reason: ExitReason, error: string | null): void {
    const { transport, post } = this.#options;
    this.#cells.delete(cell.address);
    transport.unregister(cell.address, post);
    // A failed start is told to whoever started it, by a throw.
    if (reason === 'gone') return;
    if (reason !== 'stopped') cell.log.error(`${reason}${error === null ? '' : `: ${error}`}`);
    const orphans = [...this.#cells.values()].filter(({ parent }) => parent === cell.address);
    if (orphans.length === 0) this.#report(cell, reason, error);
    else void Promise.all(orphans.map((o) => o.requestStop())).then(() => this.#report(cell, reason, error));
  }

  #report(cell: Cell, reason: ExitReason, error: string | null): void {
    const { post, onRootEnd } = this.#options;
    const { address, incarnation, parent } = cell;
    if (parent === null) onRootEnd(reason, error);
    // A supervisor that stops its children knows.
    else if (this.#cells.get(parent)?.isStopping !== true)
      post.ref(post.speaker, supervisorProtocol, parent).tell.ended({ address, incarnation, reason, error });
  }
}
