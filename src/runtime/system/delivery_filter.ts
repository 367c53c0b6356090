/**
 * The seam where tests put faults in: a filter judges each message as it is delivered. Production has none.
 */

import type { Envelope } from './envelope.ts';

/** `kill` ends the receiver, `reorder` lets the receiver's next message pass first (or `ms`, if none comes). */
export type Fault =
  | { readonly kind: 'drop' }
  | { readonly kind: 'duplicate' }
  | { readonly kind: 'kill' }
  | { readonly kind: 'delay'; readonly ms: number }
  | { readonly kind: 'reorder'; readonly ms: number };

export interface DeliveryFilter {
  /** The fault for this message, or null to let it through. Called once a message. */
  judge(envelope: Envelope): Fault | null;
}
