/**
 * What an actor can do, as a face of its cell: actors get this and never the cell.
 */

import type { ActorScope } from './actor.ts';
import type { Address } from './address.ts';
import type { Clock } from './clock.ts';
import type { Logger } from './log.ts';
import type { AnyProtocol } from './protocol.ts';
import type { Addressed, AskMethods, Ref } from './ref.ts';

/** The cell of an actor, as its scope sees it. */
export interface ScopeCell {
  readonly address: Address;
  readonly clock: Clock;
  readonly log: Logger;
  readonly gen: number;
  readonly ownParamsVersion: number | null;
  readonly refs: { ref<P extends AnyProtocol>(protocol: P, address: Address): Ref<P> };
  readonly watching: { watch(address: Address): void; unwatch(address: Address): void };
  setParamsVersion(version: number | null): void;
  requestStop(): Promise<void>;
}

export class Scope implements ActorScope {
  readonly #cell: ScopeCell;

  constructor(cell: ScopeCell) {
    this.#cell = cell;
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
  ref<P extends AnyProtocol>(protocol: P, address: Address): Ref<P> {
    return this.#cell.refs.ref(protocol, address);
  }
  ask<P extends AnyProtocol>(ref: Ref<P>): AskMethods<P> {
    return this.#cell.refs.ref(ref.protocol, ref.address).ask;
  }
  setParamsVersion(version: number | null): void {
    this.#cell.setParamsVersion(version);
  }
  watch(actor: Addressed): void {
    this.#cell.watching.watch(actor.address);
  }
  unwatch(actor: Addressed): void {
    this.#cell.watching.unwatch(actor.address);
  }
  stop(): void {
    void this.#cell.requestStop();
  }
}
