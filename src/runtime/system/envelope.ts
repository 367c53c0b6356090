/**
 * What travels. A **route** holds all that is the same for every message of one sender to one method of one actor: it
 * is packed once and its bytes are cached. The **envelope** adds what changes from message to message, small enough to
 * be written by a handful of DataView stores.
 */

import type { Address } from './address.ts';
import type { Lane } from './protocol.ts';

export const ENVELOPE_VERSION = 2;

/**
 * `reply` and `error` answer an ask; `undeliverable` tells the sender that its message found a full mailbox; `watch`,
 * `unwatch` and `down` carry the ends of actors.
 */
export type Kind = 'tell' | 'ask' | 'reply' | 'error' | 'undeliverable' | 'watch' | 'unwatch' | 'down';

/** The static half of an envelope. Compared by identity once interned by the codec. */
export interface Route {
  readonly v: typeof ENVELOPE_VERSION;
  readonly kind: Kind;
  readonly lane: Lane;
  /** False for the few messages that pass whatever the gen. */
  readonly fenced: boolean;
  readonly to: Address;
  readonly from: Address;
  /** Grows with each start of the sender: a late message of a former life can be told. */
  readonly senderIncarnation: number;
  readonly message: string;
  /** Whose table says what its args are; '' for what the runtime itself sends. */
  readonly protocol: string;
}

export interface Envelope {
  readonly route: Route;
  /** u32. Lower than the receiver's: dropped. Higher: refused, since its sender starts only when all have entered. */
  readonly gen: number;
  /** u31 or null: the sender's parameter version. */
  readonly paramsVersion: number | null;
  /** Unique per sending system, up to 2^53. */
  readonly id: number;
  /** The id this one answers; 0 if none. */
  readonly replyTo: number;
  /** Milliseconds the asker still waits; null if it does not. */
  readonly remainingMs: number | null;
  /** Actors that wait for the outcome, outermost first. */
  readonly askChain: readonly Address[];
  /** W3C trace context, or null. */
  readonly traceparent: string | null;
  readonly args: unknown;
}

export const NO_CHAIN: readonly Address[] = [];
