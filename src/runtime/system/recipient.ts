/**
 * An actor as the post sees it: where messages for it go, and what is known of it when they do not arrive.
 */

import type { Address } from './address.ts';
import type { Delivery } from './delivery.ts';
import type { Mailbox } from './mailbox.ts';
import type { AnyProtocol } from './protocol.ts';
import type { Addressed } from './ref.ts';
import type { Speaker } from './speaker.ts';

export interface Recipient extends Speaker {
  readonly mailbox: Pick<Mailbox, 'depth' | 'dataCapacity'>;
  readonly hand: { readonly lastHandled: string | null };
  /** The refs that it owns. */
  readonly refs: { ref(protocol: AnyProtocol, address: Address): Addressed };
  readonly watching: { lost(isLost: (address: Address) => boolean): void };
  /** Takes a message into the mailbox; false if the data lane is full. */
  accept(delivery: Delivery): boolean;
  /** Ends in failure, after the message in hand. */
  fail(error: Error): void;
  /** Ends at once. */
  kill(): void;
}
