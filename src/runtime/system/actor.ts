/**
 * What an actor is: a plain object with one method a message, `(args, ctx)`. A method may be sync (the fast path) or
 * async; either way the next message waits until it has finished. To answer later without holding the actor, an ask
 * handler returns `ctx.defer()` and keeps it.
 */

import type { Address } from './address.ts';
import type { Clock } from './clock.ts';
import type { Logger } from './log.ts';
import type { AnyProtocol, ArgsOf, AskSpec, ReplyOf } from './protocol.ts';
import type { Addressed, AskMethods, Ref } from './ref.ts';
import type { Reply } from './reply.ts';

/** What a handler may return: for an ask the answer, now (`R`), when the handler ends (a promise), or by a `Reply`, which
 * may also refuse it. An empty answer is `void`. */
export type Returned<R> = [R] extends [undefined]
  ? void | Promise<void> | Reply<void>
  : R | Promise<R | Reply<R>> | Reply<R>;

/** The methods that an actor of protocol `P` must have: `class Counter implements Handlers<typeof counterProtocol>`. */
export type Handlers<P extends AnyProtocol> = {
  [M in keyof P['messages']]: (
    args: ArgsOf<P, M>,
    ctx: Context,
  ) => P['messages'][M] extends AskSpec<unknown, unknown> ? Returned<ReplyOf<P, M>> : void | Promise<void>;
};

/** Optional methods of any actor. */
export interface Hooks {
  /** A watched actor has ended. Control lane. */
  down?(event: Down, ctx: Context): void | Promise<void>;
  /** The actor ends (not called after a throw of its own); awaited, cooperatively. */
  stopped?(): void | Promise<void>;
}

export type Actor<P extends AnyProtocol> = Handlers<P> & Hooks;

/** Why an actor ended. `stopped`: it or its supervisor wished so; `killed`: a fault plan; `gone`: was not there. */
export type ExitReason = 'stopped' | 'failed' | 'killed' | 'gone';

/** What a watcher is told: who ended and why; `error` is one line, null unless it failed. */
export interface Down {
  readonly address: Address;
  readonly reason: ExitReason;
  readonly error: string | null;
}

/** What an actor can do at any time: given to its factory, and part of every handler's context. */
export interface ActorScope {
  readonly address: Address;
  readonly clock: Clock;
  readonly log: Logger;
  /** The gen the system has entered. */
  readonly gen: number;
  /** A ref owned by this actor: its asks carry this actor's ask chain. */
  ref<P extends AnyProtocol>(protocol: P, address: Address): Ref<P>;
  /** The ask methods of `ref`, owned by this actor whoever made the ref. */
  ask<P extends AnyProtocol>(ref: Ref<P>): AskMethods<P>;
  /** This actor's parameter version, null if it uses none. */
  readonly ownParamsVersion: number | null;
  /** Data messages of a higher version wait until the actor reaches it, those of a lower one are refused. */
  setParamsVersion(version: number | null): void;
  /** From now on `down` is called once when that actor ends; at once if there is none. */
  watch(actor: Addressed): void;
  unwatch(actor: Addressed): void;
  /** Ends this actor after the message in hand. */
  stop(): void;
}

/** The context of one message. */
export interface Context extends ActorScope {
  /** Who sent it; `@system` if no actor did. */
  readonly sender: Address;
  readonly message: string;
  readonly id: number;
  /** The gen and parameter version of the sender when it sent. */
  readonly messageGen: number;
  readonly paramsVersion: number | null;
  /** Milliseconds until the asker gives up; null for a tell. */
  readonly remainingMs: number | null;
  readonly traceparent: string | null;
  /** The answer to this ask, to be given later; the handler must return it. */
  defer<R>(): Reply<R>;
  /** Keeps the tensors of this message valid past the handler; call the returned function once to let go. */
  hold(): () => void;
}

/** Makes an actor; called at each (re)start. A throw is a failed start. */
export type Create<P extends AnyProtocol> = (scope: ActorScope) => Actor<P>;
