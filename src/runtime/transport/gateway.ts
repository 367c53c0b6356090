/**
 * The joint between the threads of a node and its links to other nodes, on the node's main thread. Whole frames pass it
 * in both directions as they are: only stamp and route are read here, the rest by the thread or node that they are for.
 * The transport between threads offers the joint; the one between nodes, which is the gateway, takes its place there.
 *
 *     worker --slot--> main: `Gateway.forward` --chunks--> other node
 *     other node --chunks--> main, into a slot: `NearTransport.relay` --slot--> worker
 */

import type { Address } from '../system/address.ts';
import type { Route } from '../system/envelope.ts';
import type { Transport } from '../system/transport_port.ts';
import type { Encoded } from './codec.ts';
import type { ArrivalPool } from './frame.ts';

export interface Gateway {
  /**
   * Sends on a frame that another thread has sent here for `route.to`, if that lives on another node; false if it does
   * not, and nothing was done. The bytes are lent for the call.
   */
  forward(route: Route, frame: Encoded): boolean;
}

/** The transport between the threads of a node, as its gateway sees it. */
export interface NearTransport extends Transport {
  /** Where frames from other nodes are put together: as far as they fit, in memory that all threads see. */
  readonly arrivals: ArrivalPool;
  /** From now on `gateway` is offered the frames of other threads for actors that do not live on this one. */
  serve(gateway: Gateway): void;
  /**
   * Passes a frame of `arrivals` on to the thread where `to` lives, as one that came from another process; its lease goes
   * along. False if no other thread has the address, and nothing was done. Throws what `send` throws.
   */
  relay(to: Address, frame: Encoded): boolean;
}
