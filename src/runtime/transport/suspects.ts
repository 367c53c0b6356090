/**
 * Whom messages came from that were by somebody else: a node or thread that spoke for an actor which lives elsewhere, or
 * by a lane that is not the message's. All are counted, and each source is named once.
 */

import type { Route } from '../system/envelope.ts';
import type { Lane } from '../system/protocol.ts';
import { WrongSender } from './link_errors.ts';

export class Suspects {
  /** Messages that were dropped for it. */
  count = 0;
  readonly #named = new Set<string>();

  /** Counts a message that came from `source` by `lane`; what to report of it, or null if that has been. */
  add(source: string, lane: Lane, route: Route): WrongSender | null {
    this.count += 1;
    if (this.#named.has(source)) return null;
    this.#named.add(source);
    return new WrongSender(source, lane, route);
  }
}
