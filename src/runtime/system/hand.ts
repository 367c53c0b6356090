/**
 * The hand of an actor: holds one message at a time, calls its handler, waits for it if it is async, answers, and lets
 * the message's memory go. What follows (the next message, the end of a life) is the cell's affair.
 */

import type { Span } from '@opentelemetry/api';
import type { Context } from './actor.ts';
import type { Entry, Handler } from './admission.ts';
import type { Delivery } from './delivery.ts';
import type { Route } from './envelope.ts';
import { tagOf } from './errors.ts';
import type { FlightRecord } from './flight_record.ts';
import type { Post } from './post.ts';
import { Reply } from './reply.ts';
import type { Scheduler } from './scheduler.ts';
import type { Speaker } from './speaker.ts';
import { formatTraceparent, type Tracing } from './tracing.ts';

/** The cell that the hand belongs to. */
export interface HandOwner extends Speaker {
  context(delivery: Delivery): Context;
  /** The handler has finished; the hand is free. */
  handled(): void;
  /** The handler has thrown; the hand is free. */
  crashed(error: unknown): void;
}

export interface HandDeps {
  readonly post: Post;
  readonly scheduler: Scheduler;
  readonly flight: FlightRecord;
  readonly tracing: Tracing | null;
}

export class Hand {
  current: Delivery | null = null;
  lastHandled: string | null = null;
  readonly #deps: HandDeps;
  readonly #owner: HandOwner;
  #span: Span | null = null;

  constructor(deps: HandDeps, owner: HandOwner) {
    this.#deps = deps;
    this.#owner = owner;
  }

  /** Trace context for what the handler sends. */
  get traceparent(): string | null {
    if (this.#span !== null) return formatTraceparent(this.#span.spanContext());
    return this.current === null ? null : this.current.traceparent;
  }

  /** Calls the handler of a message. */
  handle({ handler, replyRoute }: Pick<Entry, 'handler' | 'replyRoute'>, actor: object, delivery: Delivery): void {
    this.#takeUp(delivery);
    try {
      const result = this.#call(handler, actor, delivery);
      if (result instanceof Promise) this.#await(result, delivery, replyRoute);
      else this.#finish(delivery, replyRoute, result);
    } catch (error) {
      this.#crash(delivery, error);
    }
  }

  #takeUp(delivery: Delivery): void {
    const { post, scheduler, flight, tracing } = this.#deps;
    flight.note(this.#owner.address, delivery.route.message, delivery.id, scheduler.nowMs);
    post.counters.delivered += 1;
    this.current = delivery;
    if (tracing !== null) this.#span = tracing.start(delivery);
  }

  #call(handler: Handler, actor: object, delivery: Delivery): unknown {
    return handler.call(actor, delivery.args, this.#owner.context(delivery));
  }

  #await(result: Promise<unknown>, delivery: Delivery, replyRoute: Route): void {
    result
      .then((value) => this.#finish(delivery, replyRoute, value))
      .catch((error: unknown) => this.#crash(delivery, error));
  }

  #finish(delivery: Delivery, replyRoute: Route, value: unknown): void {
    const { route, id, lease } = delivery;
    if (route.kind === 'ask' && !this.#owner.ended && !(value instanceof Reply)) {
      this.#deps.post.send(replyRoute, this.#owner, id, value);
    }
    if (lease !== null) lease.release();
    this.lastHandled = route.message;
    this.#putDown(undefined);
    this.#owner.handled();
  }

  #crash(delivery: Delivery, error: unknown): void {
    // An actor that was killed in the middle has been answered for already.
    if (this.#owner.ended) delivery.lease?.release();
    else this.#deps.post.refuse(delivery, this.#owner, error);
    this.#putDown(error);
    // The gen ended under it: nobody waits for the answer, and whoever cares asks again in the next one.
    const isOver = delivery.route.fenced && delivery.gen < this.#deps.post.gen && tagOf(error) === 'WrongGen';
    if (isOver) this.#owner.handled();
    else this.#owner.crashed(error);
  }

  #putDown(error: unknown): void {
    this.current = null;
    if (this.#span === null) return;
    this.#deps.tracing?.end(this.#span, error);
    this.#span = null;
  }
}
