/**
 * Whoever sends: an actor in one of its lives, or the outside of a system. A ref asks its speaker what to stamp.
 */

import type { Address } from './address.ts';
import type { Delivery } from './delivery.ts';
import { ENVELOPE_VERSION, type Kind, type Route } from './envelope.ts';
import type { Lane } from './protocol.ts';

export interface Speaker {
  readonly address: Address;
  /** Grows with each start of an actor. */
  readonly incarnation: number;
  readonly isActor: boolean;
  /** An actor that has ended says nothing more. */
  readonly ended: boolean;
  readonly ownParamsVersion: number | null;
  /** The message in hand; null outside handlers. */
  readonly current: Delivery | null;
  /** Trace context for what is sent now. */
  readonly outgoingTraceparent: string | null;
}

/** Code that is no actor. */
export class Outside implements Speaker {
  readonly address: Address;
  readonly incarnation = 1;
  readonly isActor = false;
  readonly ended = false;
  readonly ownParamsVersion = null;
  readonly current = null;
  readonly outgoingTraceparent = null;
  constructor(address: Address) {
    this.address = address;
  }
}

/** The static half of what `speaker` sends to `to`; without a protocol, of what the runtime itself sends. */
export function routeFrom(
  speaker: Pick<Speaker, 'address' | 'incarnation'>,
  to: Address,
  message: string,
  kind: Kind,
  lane: Lane,
  fenced: boolean,
  protocol = '',
): Route {
  const { address: from, incarnation: senderIncarnation } = speaker;
  return { v: ENVELOPE_VERSION, kind, lane, fenced, to, from, senderIncarnation, message, protocol };
}
