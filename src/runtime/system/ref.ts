/**
 * A ref is how one speaks to an actor: `ref.tell.m(args)` sends, `ref.ask.m(args)` awaits the answer. It holds the
 * actor's name and protocol and nothing of its place, so it may travel in args: it is packed as two strings and comes
 * out as a ref owned by the receiver. Refs know their owner: an ask carries the owner's ask chain.
 */

import { z } from 'zod';
import type { Address } from './address.ts';
import type { AnyProtocol, AskSpec, MessageTable, Protocol, ReplyOf, ArgsOf, TellSpec } from './protocol.ts';

export interface AskOptions {
  /** How long to wait for the answer, in milliseconds; default the system's `askTimeoutMs`, never more than the asker
   * itself has left. */
  readonly timeoutMs?: number;
}

type TellName<T extends MessageTable> = { [M in keyof T]: T[M] extends TellSpec<unknown> ? M : never }[keyof T];
type AskName<T extends MessageTable> = {
  [M in keyof T]: T[M] extends AskSpec<unknown, unknown> ? M : never;
}[keyof T];

export type TellMethod<A> = [A] extends [undefined] ? () => void : (args: A) => void;
export type AskMethod<A, R> = [A] extends [undefined]
  ? (args?: undefined, options?: AskOptions) => Promise<R>
  : (args: A, options?: AskOptions) => Promise<R>;

export type TellMethods<P extends AnyProtocol> = {
  readonly [M in TellName<P['messages']>]: TellMethod<ArgsOf<P, M>>;
};
export type AskMethods<P extends AnyProtocol> = {
  readonly [M in AskName<P['messages']>]: AskMethod<ArgsOf<P, M>, ReplyOf<P, M>>;
};

/** Anything that names an actor. */
export interface Addressed {
  readonly address: Address;
}

/** Speaks to the actor at `address`; errors of `ask` are those of `errors.ts` and of the handler. */
export interface Ref<P extends AnyProtocol> extends Addressed {
  readonly protocol: P;
  /** Args are encoded before the call returns, so the caller may reuse them at once. */
  readonly tell: TellMethods<P>;
  readonly ask: AskMethods<P>;
}

/** Base of every ref, so that the codec knows one when it meets it. */
export abstract class RefIdentity implements Addressed {
  readonly address: Address;
  readonly protocol: AnyProtocol;
  constructor(address: Address, protocol: AnyProtocol) {
    this.address = address;
    this.protocol = protocol;
  }
}

/** The checks of all schemas of refs, by which they are known even with further checks added. */
const refChecks = new WeakSet<object>();

/** Schema of a ref in message args. */
export function refSchema<T extends MessageTable>(protocol: Protocol<T>): z.ZodType<Ref<Protocol<T>>> {
  const isRef = (value: unknown): boolean => value instanceof RefIdentity && value.protocol.name === protocol.name;
  refChecks.add(isRef);
  return z.custom<Ref<Protocol<T>>>(isRef, `expected a ref of protocol '${protocol.name}'`);
}

/** Whether `schema` is one that `refSchema` made, or one made of it by further checks. */
export const isRefSchema = (schema: unknown): boolean => schema instanceof z.ZodCustom && refChecks.has(schema.def.fn);
