/**
 * An actor system has the actors of one thread: the post carries their messages, the scheduler gives them turns, the
 * root supervisor sees to it that they live. Several systems, on threads or nodes, speak through transports.
 */

import { actor, type CellHost, type ChildOptions, type ChildSpec } from './child_spec.ts';
import type { ActorScope, Create } from './actor.ts';
import type { Address } from './address.ts';
import type { Validate } from './admission.ts';
import type { Cell } from './cell.ts';
import { SystemClock, type Clock } from './clock.ts';
import { Counters } from './counters.ts';
import { deadLetterLog, DeadLetters, type DeadLetter } from './dead_letters.ts';
import type { DeliveryFilter } from './delivery_filter.ts';
import { WrongGen } from './errors.ts';
import { Faults } from './faults.ts';
import { FlightRecord, type FlightEntry } from './flight_record.ts';
import { stderrSink, type LogSink } from './log.ts';
import { Post } from './post.ts';
import type { AnyProtocol } from './protocol.ts';
import type { Ref } from './ref.ts';
import { Roster } from './roster.ts';
import { Scheduler } from './scheduler.ts';
import { SUPERVISION, type SupervisionOptions } from './strategies.ts';
import { Supervisor, supervisor } from './supervisor.ts';
import { Tracing } from './tracing.ts';
import type { Transport } from './transport_port.ts';

export interface SystemOptions {
  readonly transport: Transport;
  /** Names the system among others; `@name` is the sender of what its outside sends. Default `local`. */
  readonly name?: string;
  readonly clock?: Clock;
  /** Default of `ask`, in milliseconds. */
  readonly askTimeoutMs?: number;
  /** Which args are checked against their schema; default `remote`. */
  readonly validate?: Validate;
  /** Puts in faults; for tests. */
  readonly filter?: DeliveryFilter;
  readonly logSink?: LogSink;
  /** A message that nobody took; the same one is told once in 10 s, with their count. Default: a warning to the log sink. */
  readonly onDeadLetter?: (letter: DeadLetter) => void;
  /** Where the last messages are noted; default memory of this thread. */
  readonly flight?: FlightRecord;
  /** Of the root supervisor. */
  readonly supervision?: Partial<SupervisionOptions>;
  /** The root supervisor has given up, and all actors have ended. Default: a line to the log sink. */
  readonly onFailure?: (error: string) => void;
}

export const ASK_TIMEOUT_MS = 5_000;

export class ActorSystem {
  readonly name: string;
  readonly clock: Clock;
  readonly counters = new Counters();
  readonly #transport: Transport;
  readonly #post: Post;
  readonly #scheduler: Scheduler;
  readonly #roster: Roster;
  readonly #flight: FlightRecord;
  readonly #cells = new Map<Address, Cell>();
  readonly #root: Supervisor;
  readonly #rootAddress: Address;

  constructor(options: SystemOptions) {
    const { transport, name = 'local', clock = new SystemClock(), logSink = stderrSink } = options;
    this.name = name;
    this.clock = clock;
    this.#transport = transport;
    this.#rootAddress = `${name}/root`;
    this.#flight = options.flight ?? new FlightRecord();
    this.#scheduler = new Scheduler(clock);
    this.#post = new Post({
      name,
      clock,
      counters: this.counters,
      deadLetters: new DeadLetters(clock, this.counters, options.onDeadLetter ?? deadLetterLog(logSink)),
      transport,
      cells: this.#cells,
      askTimeoutMs: options.askTimeoutMs ?? ASK_TIMEOUT_MS,
      faults: options.filter === undefined ? null : new Faults(options.filter, clock, this.counters),
      logSink,
    });
    const onFailure =
      options.onFailure ??
      ((text: string) => logSink({ level: 'error', address: this.#rootAddress, text, fields: {} }));
    this.#roster = new Roster({
      systemName: name,
      post: this.#post,
      transport,
      scheduler: this.#scheduler,
      clock,
      flight: this.#flight,
      tracing: Tracing.detect(),
      validate: options.validate ?? 'remote',
      logSink,
      cells: this.#cells,
      onRootEnd: (reason, error) => {
        if (reason !== 'stopped') onFailure(error ?? reason);
      },
    });
    this.#root = this.#startRoot({ ...SUPERVISION, ...options.supervision });
  }

  /** The gen whose fenced messages are let in; 0 at first. */
  get gen(): number {
    return this.#post.gen;
  }

  /** Enters a gen: drops what is of lower ones and fails their asks. Throws `WrongGen` if it is lower than the own. */
  enter(gen: number): void {
    if (gen < this.gen) throw new WrongGen(this.name, 'enter', gen, this.gen);
    if (gen > this.gen) this.#post.enter(gen);
  }

  /** See `Transport.bytesSent`; of all systems, if several share the transport. */
  bytesSentBy(): Readonly<Record<string, number>> {
    return this.#transport.bytesSent;
  }

  /** Starts an actor under the root supervisor. Throws `InvalidAddress`, `AddressTaken`, `StartFailed`. */
  spawn<P extends AnyProtocol>(protocol: P, address: Address, create: Create<P>, options?: ChildOptions): Ref<P> {
    this.start(actor(protocol, address, create, options));
    return this.ref(protocol, address);
  }

  /** Starts what a spec describes, such as a supervisor with its children, under the root supervisor. */
  start(spec: ChildSpec): void {
    this.#root.add(spec);
  }

  /**
   * Ends what was started or spawned under `address`, if it is there: after its message in hand and its `stopped` hook, a
   * supervisor with all below it. It is not started again.
   */
  async end(address: Address): Promise<void> {
    this.#root.forget(address);
    await this.#roster.stop(address);
  }

  /** Ends it at once: what its handler still does is ignored, and whoever waits for its answer hears that it is gone. */
  dismiss(address: Address): void {
    this.#root.forget(address);
    this.#cells.get(address)?.kill('stopped');
  }

  /** Frames with tensors that somebody still holds; 0 when nothing is under way. */
  get leased(): number {
    return this.#transport.leased;
  }

  /** A ref owned by no actor: its asks come from `@name` and have no chain. */
  ref<P extends AnyProtocol>(protocol: P, address: Address): Ref<P> {
    return this.#post.ref(this.#post.speaker, protocol, address);
  }

  /** Resolves when no message waits for a turn; async handlers may still be under way. */
  idle(): Promise<void> {
    return this.#scheduler.idle();
  }

  /** The last messages handled, oldest first. */
  flightRecord(): FlightEntry[] {
    return this.#flight.entries();
  }

  /** Messages in the mailbox of `address`; null if no actor lives there. */
  mailboxDepth(address: Address): number | null {
    return this.#cells.get(address)?.mailbox.depth ?? null;
  }

  /** Stops all actors, last started first, each after its message in hand and its `stopped` hook. */
  async stop(): Promise<void> {
    await this.#roster.stop(this.#rootAddress);
    this.#roster.close();
    this.#post.stop();
  }

  #startRoot(supervision: SupervisionOptions): Supervisor {
    const spec = supervisor(this.#rootAddress, supervision, []);
    const made: Supervisor[] = [];
    const create = (scope: ActorScope, host: CellHost): Supervisor => {
      const root = new Supervisor(scope, host, supervision, []);
      made.push(root);
      return root;
    };
    this.#roster.start({ ...spec, create }, null);
    return made[0];
  }
}
