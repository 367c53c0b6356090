/**
 * How to start an actor, again and again: its address, protocol, factory, and what to do when it ends. Supervisors are
 * described the same way, so a tree of specs describes a tree of actors.
 */

import type { ActorScope, Create } from './actor.ts';
import { checkAddress, type Address } from './address.ts';
import type { AnyProtocol } from './protocol.ts';

/** `permanent`: restarted always; `transient`: when it failed; `temporary`: never. */
export type Restart = 'permanent' | 'transient' | 'temporary';

/** What a supervisor may do with the cells of its system. */
export interface CellHost {
  /** Starts an actor under supervisor `parent` and returns its incarnation; throws `StartFailed`, `AddressTaken`. */
  start(spec: ChildSpec, parent: Address): number;
  /** Ends an actor after its message in hand; resolves when its `stopped` hook has. */
  stop(address: Address): Promise<void>;
}

export interface ChildOptions {
  /** Default `permanent`. */
  readonly restart?: Restart;
  /** Messages that fit into the data lane; default `DATA_CAPACITY`. */
  readonly dataCapacity?: number;
}

export interface ChildSpec {
  readonly address: Address;
  readonly protocol: AnyProtocol;
  readonly restart: Restart;
  readonly dataCapacity: number;
  readonly create: (scope: ActorScope, host: CellHost) => object;
}

export const DATA_CAPACITY = 1024;

/** Describes an actor; `create` is called at each (re)start. Throws `InvalidAddress`. */
export function actor<P extends AnyProtocol>(
  protocol: P,
  address: Address,
  create: Create<P>,
  { restart = 'permanent', dataCapacity = DATA_CAPACITY }: ChildOptions = {},
): ChildSpec {
  return { address: checkAddress(address), protocol, restart, dataCapacity, create: (scope) => create(scope) };
}
