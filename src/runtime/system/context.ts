/**
 * What a handler is given beside its args: the facts of the message, and what the actor can do. One is made for each
 * message, so that an async handler's stays true while others come and go.
 */

import type { ActorScope, Context } from './actor.ts';
import type { Address } from './address.ts';
import type { Cell } from './cell.ts';
import type { Clock } from './clock.ts';
import type { Delivery } from './delivery.ts';
import type { Logger } from './log.ts';
import type { AnyProtocol } from './protocol.ts';
import type { Addressed, AskMethods, Ref } from './ref.ts';
import type { Reply } from './reply.ts';

export class MessageContext implements Context, ActorScope {
  readonly #cell: Cell;
  readonly #delivery: Delivery;

  constructor(cell: Cell, delivery: Delivery) {
    this.#cell = cell;
    this.#delivery = delivery;
  }

  get address(): Address {
    return this.#cell.address;
  }
  get clock(): Clock {
    return this.#cell.clock;
  }
  get log(): Logger {
    return this.#cell.log;
  }
  get gen(): number {
    return this.#cell.gen;
  }
  get ownParamsVersion(): number | null {
    return this.#cell.ownParamsVersion;
  }
  get sender(): Address {
    return this.#delivery.route.from;
  }
  get message(): string {
    return this.#delivery.route.message;
  }
  get id(): number {
    return this.#delivery.id;
  }
  get messageGen(): number {
    return this.#delivery.gen;
  }
  get paramsVersion(): number | null {
    return this.#delivery.paramsVersion;
  }
  get remainingMs(): number | null {
    return this.#cell.remainingMs(this.#delivery);
  }
  get traceparent(): string | null {
    return this.#delivery.traceparent;
  }
  ref<P extends AnyProtocol>(protocol: P, address: Address): Ref<P> {
    return this.#cell.ref(protocol, address);
  }
  ask<P extends AnyProtocol>(ref: Ref<P>): AskMethods<P> {
    return this.#cell.ask(ref);
  }
  setParamsVersion(version: number | null): void {
    this.#cell.setParamsVersion(version);
  }
  watch(actor: Addressed): void {
    this.#cell.watch(actor);
  }
  unwatch(actor: Addressed): void {
    this.#cell.unwatch(actor);
  }
  stop(): void {
    this.#cell.stop();
  }
  defer<R>(): Reply<R> {
    return this.#cell.defer(this.#delivery);
  }
  hold(): () => void {
    const { lease } = this.#delivery;
    lease?.retain();
    return () => lease?.release();
  }
}
