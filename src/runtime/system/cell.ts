/**
 * One life of an actor: its object, its mailbox, and the message in hand. A cell takes one message at a time, calls the
 * handler, answers, and lets the message's memory go. When the handler throws, the life is over; a supervisor may start
 * another.
 */

import type { Span } from '@opentelemetry/api';
import type { ActorScope, ExitReason } from './actor.ts';
import type { Address } from './address.ts';
import { Admission, methodOf, type Handler, type Validate } from './admission.ts';
import type { ChildSpec } from './child_spec.ts';
import type { Clock } from './clock.ts';
import { MessageContext } from './context.ts';
import { Deferrals } from './deferrals.ts';
import type { Delivery } from './delivery.ts';
import { describeError, NoSuchActor, StaleParams } from './errors.ts';
import type { FlightRecord } from './flight_record.ts';
import type { Logger } from './log.ts';
import { Mailbox } from './mailbox.ts';
import type { Post } from './post.ts';
import type { AnyProtocol } from './protocol.ts';
import type { Addressed, AskMethods, Ref } from './ref.ts';
import { Reply } from './reply.ts';
import type { Runnable, Scheduler } from './scheduler.ts';
import type { Speaker } from './speaker.ts';
import { formatTraceparent, type Tracing } from './tracing.ts';
import { Watch } from './watch.ts';

/** What a cell needs of its system. */
export interface CellDeps {
  readonly post: Post;
  readonly scheduler: Scheduler;
  readonly clock: Clock;
  readonly flight: FlightRecord;
  readonly tracing: Tracing | null;
  readonly validate: Validate;
  readonly log: Logger;
  /** Called once, when the life is over. */
  readonly onEnd: (cell: Cell, reason: ExitReason, error: string | null) => void;
}

/** Messages a turn, before other actors get theirs. */
const BATCH = 16;

export class Cell implements Runnable, ActorScope, Speaker {
  readonly address: Address;
  readonly incarnation: number;
  readonly isActor = true;
  /** The supervisor; null for the root. */
  readonly parent: Address | null;
  readonly clock: Clock;
  readonly log: Logger;
  ended = false;
  current: Delivery | null = null;
  lastHandled: string | null = null;
  ownParamsVersion: number | null = null;
  readonly #deps: CellDeps;
  readonly #post: Post;
  readonly #mailbox: Mailbox;
  readonly #admission: Admission;
  readonly #deferrals: Deferrals;
  readonly #watch: Watch;
  readonly #refs = new Map<Address, Ref<AnyProtocol>[]>();
  #actor: object = {};
  #span: Span | null = null;
  /** In the run queue, or being run. */
  #queued = false;
  /** An async handler is under way. */
  #busy = false;
  #stopping: Promise<void> | null = null;
  #finishStop: () => void = () => undefined;
  /** A failure that came from elsewhere while a message was in hand. */
  #doom: Error | null = null;

  constructor(deps: CellDeps, spec: ChildSpec, incarnation: number, parent: Address | null) {
    this.#deps = deps;
    this.#post = deps.post;
    this.address = spec.address;
    this.incarnation = incarnation;
    this.parent = parent;
    this.clock = deps.clock;
    this.log = deps.log;
    this.#mailbox = new Mailbox(spec.dataCapacity);
    this.#admission = new Admission(spec.protocol, this, deps.validate);
    this.#deferrals = new Deferrals(deps.post, this);
    this.#watch = new Watch(deps.post, this);
  }

  /** Gives the cell its actor; throws `ProtocolError` if a message has no method. */
  inhabit(actor: object): void {
    this.#admission.admitTo(actor);
    this.#actor = actor;
  }

  get gen(): number {
    return this.#post.gen;
  }
  get mailboxDepth(): number {
    return this.#mailbox.depth;
  }
  get dataCapacity(): number {
    return this.#mailbox.dataCapacity;
  }
  get outgoingTraceparent(): string | null {
    if (this.#span !== null) return formatTraceparent(this.#span.spanContext());
    return this.current === null ? null : this.current.traceparent;
  }

  ref<P extends AnyProtocol>(protocol: P, address: Address): Ref<P> {
    const known = this.#refs.get(address);
    const found = known?.find((ref): ref is Ref<P> => ref.protocol === protocol);
    if (found !== undefined) return found;
    const made = this.#post.ref(this, protocol, address);
    if (known === undefined) this.#refs.set(address, [made]);
    else known.push(made);
    return made;
  }

  ask<P extends AnyProtocol>(ref: Ref<P>): AskMethods<P> {
    return this.ref(ref.protocol, ref.address).ask;
  }

  setParamsVersion(version: number | null): void {
    this.ownParamsVersion = version;
    this.#mailbox.unpark(version);
    this.#wake();
  }

  watch({ address }: Addressed): void {
    this.#watch.watch(address);
  }

  unwatch({ address }: Addressed): void {
    this.#watch.unwatch(address);
  }

  stop(): void {
    void this.requestStop();
  }

  /** Milliseconds until the asker of `delivery` gives up. */
  remainingMs(delivery: Delivery): number | null {
    return this.#post.remainingMs(delivery);
  }

  /** An answer to `delivery`, to be given later. */
  defer<R>(delivery: Delivery): Reply<R> {
    return this.#deferrals.defer<R>(delivery, this.#admission.entry(delivery.route).replyRoute);
  }

  /** Takes a message into the mailbox; false if the data lane is full. */
  accept(delivery: Delivery): boolean {
    if (this.ended || this.#stopping !== null) {
      this.#post.deadLetter(delivery);
      return true;
    }
    if (!this.#mailbox.push(delivery)) return false;
    this.#wake();
    return true;
  }

  /** Handles a batch; true if there is more. */
  run(): boolean {
    for (let i = 0; i < BATCH && this.#isFree(); i++) {
      const delivery = this.#mailbox.take();
      if (delivery === undefined) break;
      this.#handle(delivery);
    }
    this.#queued = this.#isFree() && this.#mailbox.ready;
    return this.#queued;
  }

  /** Ends after the message in hand; resolves when the `stopped` hook has. */
  requestStop(): Promise<void> {
    if (this.#stopping !== null) return this.#stopping;
    this.#stopping = new Promise((resolve) => {
      this.#finishStop = resolve;
    });
    if (this.ended) this.#finishStop();
    else if (this.current === null) void this.#stopNow();
    return this.#stopping;
  }

  /** Ends in failure for a reason found elsewhere, after the message in hand if there is one. */
  fail(error: Error): void {
    if (this.ended) return;
    this.#post.counters.failures += 1;
    if (this.current === null) this.#end('failed', describeError(error));
    else this.#doom = error;
  }

  /** Ends at once; what a handler still does is ignored. */
  kill(): void {
    this.#end('killed', null);
  }

  /** Ends a life that never began, because the actor's constructor threw. */
  abandon(): void {
    this.#end('gone', null);
  }

  #isFree(): boolean {
    return !this.#busy && !this.ended && this.#stopping === null;
  }

  #wake(): void {
    if (this.#queued || !this.#isFree() || !this.#mailbox.ready) return;
    this.#queued = true;
    this.#deps.scheduler.enqueue(this);
  }

  #handle(delivery: Delivery): void {
    const { route } = delivery;
    if (this.#post.fence(delivery) || this.#isUntimely(delivery)) return;
    if (route.kind !== 'tell' && route.kind !== 'ask') return this.#handleSignal(delivery);
    const entry = this.#admission.entry(route);
    const refusal = this.#admission.refusal(entry, delivery);
    if (refusal === null) return this.#call(entry.handler, delivery);
    this.#post.counters.refusedInvalid += 1;
    this.log.warn(refusal.message);
    this.#post.refuse(delivery, this, refusal);
  }

  /** Parks data from the future and refuses data from the past, by parameter version. */
  #isUntimely(delivery: Delivery): boolean {
    const own = this.ownParamsVersion;
    const sent = delivery.paramsVersion;
    const { lane, to, message } = delivery.route;
    if (own === null || sent === null || sent === own || lane === 'control') return false;
    if (sent > own) {
      this.#post.counters.parked += 1;
      this.#mailbox.park(delivery);
    } else {
      this.#post.counters.refusedStaleParams += 1;
      this.#post.refuse(delivery, this, new StaleParams(to, message, sent, own));
    }
    return true;
  }

  #handleSignal(delivery: Delivery): void {
    const { kind, from } = delivery.route;
    if (kind === 'watch') this.#watch.addWatcher(from);
    if (kind === 'unwatch') this.#watch.removeWatcher(from);
    if (kind !== 'down' || !this.#watch.takeEnded(from)) return;
    const hook = methodOf(this.#actor, 'down');
    if (hook !== null) this.#call(hook, delivery);
  }

  #call(handler: Handler, delivery: Delivery): void {
    const { flight, scheduler, tracing } = this.#deps;
    flight.note(this.address, delivery.route.message, delivery.id, scheduler.nowMs);
    this.#post.counters.delivered += 1;
    this.current = delivery;
    if (tracing !== null) this.#span = tracing.start(delivery);
    try {
      const result = handler.call(this.#actor, delivery.args, new MessageContext(this, delivery));
      if (result instanceof Promise) this.#await(result, delivery);
      else this.#finish(delivery, result);
    } catch (error) {
      this.#crash(delivery, error);
    }
  }

  #await(result: Promise<unknown>, delivery: Delivery): void {
    this.#busy = true;
    result
      .then((value) => this.#finish(delivery, value))
      .catch((error: unknown) => this.#crash(delivery, error))
      .finally(() => {
        this.#busy = false;
        this.#wake();
      });
  }

  /** The handler has returned `value`. */
  #finish(delivery: Delivery, value: unknown): void {
    const { route, id, lease } = delivery;
    if (route.kind === 'ask' && !this.ended && !(value instanceof Reply)) {
      this.#post.send(this.#admission.entry(route).replyRoute, this, id, value);
    }
    if (lease !== null) lease.release();
    this.lastHandled = route.message;
    this.#putDown(undefined);
    if (this.#doom !== null) this.#end('failed', describeError(this.#doom));
    else if (this.#stopping !== null) void this.#stopNow();
  }

  /** The handler has thrown. */
  #crash(delivery: Delivery, error: unknown): void {
    if (this.ended) {
      delivery.lease?.release();
    } else {
      this.#post.counters.failures += 1;
      this.#post.refuse(delivery, this, error);
    }
    this.#putDown(error);
    this.#end('failed', describeError(error));
  }

  #putDown(error: unknown): void {
    this.current = null;
    if (this.#span === null) return;
    this.#deps.tracing?.end(this.#span, error);
    this.#span = null;
  }

  async #stopNow(): Promise<void> {
    if (this.ended) return;
    this.#dropMail();
    try {
      const hook: unknown = methodOf(this.#actor, 'stopped');
      if (isStopHook(hook)) await hook.call(this.#actor);
    } catch (error) {
      this.log.error(`stopped hook failed: ${describeError(error)}`);
    }
    this.#end('stopped', null);
  }

  #end(reason: ExitReason, error: string | null): void {
    if (this.ended) return;
    this.ended = true;
    this.#deps.onEnd(this, reason, error);
    this.#watch.announce(reason, error);
    if (this.current !== null) {
      const { to, message } = this.current.route;
      this.#post.sendError(this.current, this, new NoSuchActor(to, message));
    }
    this.#deferrals.refuseAll();
    this.#dropMail();
    this.#finishStop();
  }

  #dropMail(): void {
    for (const delivery of this.#mailbox.clear()) this.#post.deadLetter(delivery);
  }
}

const isStopHook = (hook: unknown): hook is (this: unknown) => unknown => typeof hook === 'function';
