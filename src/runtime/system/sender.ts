/**
 * The post as those see it who send: refs, and actors that watch each other. It stamps what they give it, and hands it on.
 */

import type { Route } from './envelope.ts';
import type { Speaker } from './speaker.ts';

export interface Sender {
  /** Speaks for code that is no actor. */
  readonly speaker: Speaker;
  tell(route: Route, speaker: Speaker, args: unknown): void;
  /** Rejects with the errors of `errors.ts`, and those of the handler. */
  ask(route: Route, speaker: Speaker, args: unknown, timeoutMs?: number): Promise<unknown>;
  /** Sends what is neither tell nor ask; `inReplyTo` is the message it answers. The frame's bytes, 0 if nobody has it. */
  send(route: Route, speaker: Speaker, inReplyTo: number, args: unknown): number;
}
