/**
 * The asks that an actor has taken and will answer later. When the actor ends, they are refused, so that nobody waits
 * for the dead.
 */

import type { Delivery } from './delivery.ts';
import type { Route } from './envelope.ts';
import { NoSuchActor } from './errors.ts';
import type { Post } from './post.ts';
import { Reply } from './reply.ts';
import type { Speaker } from './speaker.ts';

export class Deferrals {
  readonly #post: Post;
  readonly #speaker: Speaker;
  readonly #open = new Map<Delivery, Reply<unknown>>();

  constructor(post: Post, speaker: Speaker) {
    this.#post = post;
    this.#speaker = speaker;
  }

  /** An answer to `delivery`, to travel by `replyRoute`. */
  defer<R>(delivery: Delivery, replyRoute: Route): Reply<R> {
    const { to, message } = delivery.route;
    const reply = new Reply<R>(`${to}: '${message}'`, {
      answer: (value) => {
        if (this.#isTimely(delivery)) this.#post.send(replyRoute, this.#speaker, delivery.id, value);
      },
      refuse: (error) => {
        if (this.#isTimely(delivery)) this.#post.sendError(delivery, this.#speaker, error);
      },
    });
    this.#open.set(delivery, reply);
    return reply;
  }

  /** Refuses all that are open. */
  refuseAll(): void {
    for (const [delivery, reply] of [...this.#open]) {
      reply.reject(new NoSuchActor(delivery.route.to, delivery.route.message));
    }
  }

  /** An answer belongs to the gen of its question. */
  #isTimely(delivery: Delivery): boolean {
    this.#open.delete(delivery);
    if (!delivery.route.fenced || delivery.gen === this.#post.gen) return true;
    this.#post.counters.droppedStale += 1;
    return false;
  }
}
