/**
 * What the two lanes of a node share: who it is, how it reaches the server, and whom it tells. A lane turns frames into
 * messages and back; the control lane makes sure that they arrive, the data lane notices when they do not.
 */

import type { Lane } from '../system/protocol.ts';
import type { ArrivalPool, Frame } from './frame.ts';
import type { LinkIdentity } from './link_chunk.ts';
import type { LinkCounters } from './link_counters.ts';
import type { LinkBroken } from './link_errors.ts';
import type { LinkLimits } from './link_limits.ts';
import type { PartialBudget } from './link_reassembly.ts';
import type { NatsConnection } from './nats_connection.ts';

/** The part of a connection that a lane needs. */
export type LaneChannel = Pick<NatsConnection, 'isConnected' | 'publish' | 'write' | 'flush'>;

export interface LaneEvents {
  /** A whole frame came from node `from`: `bytes` bytes at the start of `frame`, whose lease is the taker's. */
  frame(from: string, lane: Lane, frame: Frame, bytes: number): void;
  /** Once a link and gen. */
  broken(error: LinkBroken): void;
  /** Nobody listens under this name: the node has ended, or has lost its server. A hint, repeated with each attempt. */
  noResponders(node: string): void;
}

export interface LaneOptions {
  readonly cluster: string;
  readonly node: string;
  readonly identity: LinkIdentity;
  /** Which life of another node is meant; undefined: the latest. */
  readonly incarnationOf: (node: string) => number | undefined;
  readonly channel: LaneChannel;
  readonly limits: LinkLimits;
  readonly pool: ArrivalPool;
  readonly budget: PartialBudget;
  readonly counters: LinkCounters;
  readonly events: LaneEvents;
}
