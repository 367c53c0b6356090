/**
 * The actors one actor watches, and those that watch it. Watching is asked for and answered by messages, so it works
 * wherever the other lives; each ending is told once.
 */

import type { Down, ExitReason } from './actor.ts';
import type { Address } from './address.ts';
import type { Route } from './envelope.ts';
import { routeFrom, type Speaker } from './speaker.ts';
import type { Sender } from './sender.ts';

export class Watch {
  readonly #sender: Sender;
  readonly #self: Speaker;
  readonly #watched = new Set<Address>();
  readonly #watchers = new Set<Address>();

  constructor(sender: Sender, self: Speaker) {
    this.#sender = sender;
    this.#self = self;
  }

  watch(address: Address): void {
    this.#watched.add(address);
    const route = routeFrom(this.#self, address, 'watch', 'watch', 'control', false);
    if (this.#sender.send(route, this.#self, 0, undefined) === 0)
      sendDown(this.#sender, address, this.#self.address, 'gone', null);
  }

  unwatch(address: Address): void {
    if (!this.#watched.delete(address)) return;
    const route = routeFrom(this.#self, address, 'unwatch', 'unwatch', 'control', false);
    this.#sender.send(route, this.#self, 0, undefined);
  }

  /**
   * Takes in that another watches, or no longer does, as soon as it comes: in the mailbox it would be lost with an actor
   * that ends. False for any other message.
   */
  takes({ kind, from }: Route): boolean {
    if (kind === 'watch') this.#watchers.add(from);
    else if (kind === 'unwatch') this.#watchers.delete(from);
    else return false;
    return true;
  }

  /** True, once, for the message that an actor has ended which is watched. */
  hasEnded({ kind, from }: Route): boolean {
    return kind === 'down' && this.#watched.delete(from);
  }

  /** Has this actor told of those it watches that are out of reach. */
  lost(isLost: (address: Address) => boolean): void {
    for (const address of this.#watched) {
      if (isLost(address)) sendDown(this.#sender, address, this.#self.address, 'gone', null);
    }
  }

  /** Tells all watchers that this actor has ended, and watches nobody any more. */
  end(reason: ExitReason, error: string | null): void {
    for (const watcher of this.#watchers) sendDown(this.#sender, this.#self.address, watcher, reason, error);
    for (const address of this.#watched) this.unwatch(address);
  }
}

/** Tells `watcher` that `address` has ended. */
export function sendDown(
  sender: Sender,
  address: Address,
  watcher: Address,
  reason: ExitReason,
  error: string | null,
): void {
  const down: Down = { address, reason, error };
  const route = routeFrom({ address, incarnation: 0 }, watcher, 'down', 'down', 'control', false);
  sender.send(route, sender.speaker, 0, down);
}
