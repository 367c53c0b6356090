/**
 * How a system and a transport meet. The system hands over envelopes and gets deliveries; how they travel (same thread,
 * shared memory, NATS) it does not know. A transport encodes before `send` returns: nothing it was given is kept.
 */

import type { Address } from './address.ts';
import type { Delivery } from './delivery.ts';
import type { Envelope } from './envelope.ts';
import type { Addressed } from './ref.ts';

/** The receiving side of a system. */
export interface Endpoint {
  /** The address of callers that are no actors. */
  readonly outside: Address;
  receive(delivery: Delivery): void;
  /** Bytes that were no frame. */
  malformed(error: Error): void;
  /** The actors at these addresses are out of reach for good: asks to them fail, their watchers are told. */
  lost(isLost: (address: Address) => boolean): void;
  /** Makes the ref that arrived in args sent to `owner`; throws `ProtocolError` if no such protocol is declared here. */
  revive(owner: Address, address: Address, protocolName: string): Addressed;
}

export interface Transport {
  attach(endpoint: Endpoint): void;
  detach(endpoint: Endpoint): void;
  /** An actor at `address` starts or ends at `endpoint`. */
  register(address: Address, endpoint: Endpoint): void;
  unregister(address: Address, endpoint: Endpoint): void;
  /** Encodes and sends; returns the frame's size in bytes, 0 if it is known that nobody has the address. */
  send(envelope: Envelope): number;
  /** Frames with tensors that this transport has sent or received and that somebody still holds. */
  readonly leased: number;
  /**
   * Bytes of frames sent so far, by how: `local` within a thread, `thread` to another of the node, `nats` to another node.
   * A frame on its way through a node's main thread counts at each hop: in the transport of the worker under `thread`, in
   * that of the main thread under `nats`, and the other way round. Each number only grows.
   */
  readonly bytesSent: Readonly<Record<string, number>>;
  /** Takes in what has arrived and waits; called before each message is handled, so that control overtakes. */
  readonly poll?: () => void;
}
