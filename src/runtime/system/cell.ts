/**
 * One life of an actor: its object, its mailbox, and the hand that holds one message at a time. The cell decides what is
 * handled next and when the life is over; when a handler throws it is, and a supervisor may start another.
 */

import type { Context, ExitReason } from './actor.ts';
import type { Address } from './address.ts';
import { Admission, methodOf, type Validate } from './admission.ts';
import type { ChildSpec } from './child_spec.ts';
import type { Clock } from './clock.ts';
import { MessageContext } from './context.ts';
import { Deferrals } from './deferrals.ts';
import type { Delivery } from './delivery.ts';
import { describeError, NoSuchActor, StaleParams } from './errors.ts';
import { Hand, type HandDeps, type HandOwner } from './hand.ts';
import { LifeClock } from './life_clock.ts';
import type { Logger } from './log.ts';
import { Mailbox } from './mailbox.ts';
import type { Post } from './post.ts';
import { RefCache } from './ref_cache.ts';
import type { Reply } from './reply.ts';
import type { Runnable } from './scheduler.ts';
import { Watch } from './watch.ts';

/** What a cell needs of its system. */
export interface CellDeps extends HandDeps {
  readonly clock: Clock;
  readonly validate: Validate;
  readonly log: Logger;
  /** Called once, when the life is over. */
  readonly onEnd: (cell: Cell, reason: ExitReason, error: string | null) => void;
}

/** Messages a turn, before other actors get theirs. */
const BATCH = 16;

export class Cell implements Runnable, HandOwner {
  readonly address: Address;
  readonly incarnation: number;
  readonly isActor = true;
  /** The supervisor; null for the root. */
  readonly parent: Address | null;
  readonly clock: LifeClock;
  readonly log: Logger;
  readonly post: Post;
  readonly mailbox: Mailbox;
  readonly hand: Hand;
  readonly refs: RefCache;
  readonly watching: Watch;
  ended = false;
  ownParamsVersion: number | null = null;
  readonly #deps: CellDeps;
  readonly #admission: Admission;
  readonly #deferrals: Deferrals;
  #actor: object = {};
  /** In the run queue, or being run. */
  #queued = false;
  #stopping: Promise<void> | null = null;
  #finishStop: () => void = () => undefined;
  /** A failure that came from elsewhere while a message was in hand. */
  #doom: Error | null = null;

  constructor(deps: CellDeps, spec: ChildSpec, incarnation: number, parent: Address | null) {
    this.#deps = deps;
    this.post = deps.post;
    this.address = spec.address;
    this.incarnation = incarnation;
    this.parent = parent;
    this.clock = new LifeClock(deps.clock);
    this.log = deps.log;
    this.mailbox = new Mailbox(spec.dataCapacity);
    this.hand = new Hand(deps, this);
    this.#admission = new Admission({ ...deps, protocol: spec.protocol, speaker: this, outside: deps.post.outside });
    this.#deferrals = new Deferrals(deps.post, this);
    this.watching = new Watch(deps.post, this);
    this.refs = new RefCache(deps.post, this);
  }

  /** Gives the cell its actor; throws `ProtocolError` if a message has no method. */
  inhabit(actor: object): void {
    this.#admission.admitTo(actor);
    this.#actor = actor;
  }

  get gen(): number {
    return this.post.gen;
  }
  get current(): Delivery | null {
    return this.hand.current;
  }
  get outgoingTraceparent(): string | null {
    return this.hand.traceparent;
  }
  get isStopping(): boolean {
    return this.#stopping !== null;
  }

  setParamsVersion(version: number | null): void {
    this.ownParamsVersion = version;
    this.mailbox.unpark(version);
    this.#wake();
  }
  context(delivery: Delivery): Context {
    return new MessageContext(this, delivery);
  }

  /** An answer to `delivery`, to be given later. */
  defer<R>(delivery: Delivery): Reply<R> {
    return this.#deferrals.defer<R>(delivery, this.#admission.entry(delivery.route).replyRoute);
  }

  /** Takes a message into the mailbox; false if the data lane is full. */
  accept(delivery: Delivery): boolean {
    if (!this.ended && this.watching.takes(delivery.route)) return true;
    if (this.ended || this.isStopping) this.post.deadLetter(delivery, 'receiver ended');
    else if (!this.mailbox.push(delivery)) return false;
    this.#wake();
    return true;
  }

  /** Handles a batch; true if there is more. */
  run(): boolean {
    const { poll } = this.post;
    for (let i = 0; i < BATCH && this.#isFree(); i++) {
      if (poll !== null) poll();
      const delivery = this.mailbox.take();
      if (delivery === undefined) break;
      this.#handle(delivery);
    }
    this.#queued = this.#isFree() && this.mailbox.ready;
    return this.#queued;
  }

  handled(): void {
    if (this.ended) this.clock.end();
    else if (this.#doom !== null) this.#end('failed', describeError(this.#doom));
    else if (this.isStopping) void this.#stopNow();
    else this.#wake();
  }

  crashed(error: unknown): void {
    if (this.ended) return this.clock.end();
    this.post.counters.failures += 1;
    this.#end('failed', describeError(error));
  }

  /** Ends in failure for a reason found elsewhere, after the message in hand if there is one. */
  fail(error: Error): void {
    if (this.ended || this.#doom !== null) return;
    this.post.counters.failures += 1;
    if (this.current === null) this.#end('failed', describeError(error));
    else this.#doom = error;
  }

  /** Ends after the message in hand; resolves when the `stopped` hook has. */
  requestStop(): Promise<void> {
    if (this.#stopping !== null) return this.#stopping;
    this.#stopping = new Promise((resolve) => (this.#finishStop = resolve));
    if (this.ended) this.#finishStop();
    else if (this.current === null) void this.#stopNow();
    return this.#stopping;
  }

  /** Ends at once; what a handler still does is ignored. Who is `stopped` so has not failed. */
  kill(reason: 'killed' | 'stopped' = 'killed'): void {
    this.#end(reason, null);
  }

  /** Ends a life that never began, because the actor's constructor threw. */
  abandon(): void {
    this.#end('gone', null);
  }

  #isFree(): boolean {
    return this.hand.current === null && !this.ended && this.#stopping === null;
  }

  #wake(): void {
    if (this.#queued || !this.#isFree() || !this.mailbox.ready) return;
    this.#queued = true;
    this.#deps.scheduler.enqueue(this);
  }

  #handle(delivery: Delivery): void {
    const { route } = delivery;
    if (this.post.fence(delivery) || this.#isUntimely(delivery)) return;
    if (route.kind !== 'tell' && route.kind !== 'ask') return this.#handleSignal(delivery);
    const entry = this.#admission.entry(route);
    const refusal = this.#admission.refusal(entry, delivery);
    if (refusal === null) return this.hand.handle(entry, this.#actor, delivery);
    this.post.counters.refusedInvalid += 1;
    this.log.warn(refusal.message);
    this.post.refuse(delivery, this, refusal);
  }

  /** Parks data from the future and refuses data from the past, by parameter version. */
  #isUntimely(delivery: Delivery): boolean {
    const own = this.ownParamsVersion;
    const sent = delivery.paramsVersion;
    const { lane, to, message } = delivery.route;
    if (own === null || sent === null || sent === own || lane === 'control') return false;
    if (sent > own) {
      this.post.counters.parked += 1;
      this.mailbox.park(delivery);
    } else {
      this.post.counters.refusedStaleParams += 1;
      this.post.deadLetters.refused(delivery.route, 'stale parameters');
      this.post.refuse(delivery, this, new StaleParams(to, message, sent, own));
    }
    return true;
  }

  #handleSignal(delivery: Delivery): void {
    if (!this.watching.hasEnded(delivery.route)) return;
    const handler = methodOf(this.#actor, 'down');
    if (handler !== null) this.hand.handle({ handler, replyRoute: delivery.route }, this.#actor, delivery);
  }

  async #stopNow(): Promise<void> {
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
    this.watching.end(reason, error);
    const { current } = this.hand;
    if (current === null) this.clock.end();
    else {
      this.post.sendError(current, this, new NoSuchActor(current.route.to, current.route.message));
    }
    this.#deferrals.refuseAll();
    this.#dropMail();
    this.#finishStop();
  }

  #dropMail(): void {
    for (const delivery of this.mailbox.clear()) this.post.deadLetter(delivery, 'receiver ended');
  }
}

const isStopHook = (hook: unknown): hook is (this: unknown) => unknown => typeof hook === 'function';
