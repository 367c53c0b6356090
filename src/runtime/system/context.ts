/**
 * What a handler is given beside its args: the facts of the message, and what the actor can do. One is made for each
 * message, so that an async handler's stays true while others come and go.
 */

import type { Context } from './actor.ts';
import type { Address } from './address.ts';
import type { Delivery } from './delivery.ts';
import type { Reply } from './reply.ts';
import { Scope, type ScopeCell } from './scope.ts';

/** The cell of an actor, as the context of a message sees it. */
export interface ContextCell extends ScopeCell {
  readonly post: { remainingMs(delivery: Delivery): number | null };
  defer<R>(delivery: Delivery): Reply<R>;
}

export class MessageContext extends Scope implements Context {
  readonly #cell: ContextCell;
  readonly #delivery: Delivery;

  constructor(cell: ContextCell, delivery: Delivery) {
    super(cell);
    this.#cell = cell;
    this.#delivery = delivery;
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
    return this.#cell.post.remainingMs(this.#delivery);
  }
  get traceparent(): string | null {
    return this.#delivery.traceparent;
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
