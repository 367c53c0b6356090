/**
 * The one envelope that a post fills anew for each message; a transport keeps nothing of it.
 */

import type { Address } from './address.ts';
import { NO_CHAIN, type Envelope, type Route } from './envelope.ts';
import { routeFrom } from './speaker.ts';

export class Outgoing implements Envelope {
  route: Route = routeFrom({ address: '', incarnation: 0 }, '', '', 'tell', 'control', false);
  gen = 0;
  paramsVersion: number | null = null;
  id = 0;
  replyTo = 0;
  remainingMs: number | null = null;
  askChain: readonly Address[] = NO_CHAIN;
  traceparent: string | null = null;
  args: unknown = undefined;
}
