/**
 * An envelope as it was received: decoded, with the memory its tensors lie in. Whoever is done with it, by handling or
 * by dropping it, lets that memory go, once.
 */

import type { Address } from './address.ts';
import type { Envelope, Route } from './envelope.ts';

/** The memory that a received envelope's tensors lie in; counted, back in its pool when all have let go. */
export interface Lease {
  retain(): void;
  release(): void;
}

export class Delivery implements Envelope {
  readonly route: Route;
  readonly gen: number;
  readonly paramsVersion: number | null;
  readonly id: number;
  readonly replyTo: number;
  readonly remainingMs: number | null;
  readonly askChain: readonly Address[];
  readonly traceparent: string | null;
  readonly args: unknown;
  readonly lease: Lease | null;
  /** It was encoded in this process, by code that was type-checked against the same table. */
  readonly trusted: boolean;
  /** The clock when it was received; set for asks only. */
  receivedAtMs = 0;

  constructor(
    route: Route,
    gen: number,
    paramsVersion: number | null,
    id: number,
    replyTo: number,
    remainingMs: number | null,
    askChain: readonly Address[],
    traceparent: string | null,
    args: unknown,
    lease: Lease | null,
    trusted: boolean,
  ) {
    this.route = route;
    this.gen = gen;
    this.paramsVersion = paramsVersion;
    this.id = id;
    this.replyTo = replyTo;
    this.remainingMs = remainingMs;
    this.askChain = askChain;
    this.traceparent = traceparent;
    this.args = args;
    this.lease = lease;
    this.trusted = trusted;
  }
}
