/**
 * The message table of an actor: for each message its kind (tell or ask), lane, schemas and who may send it. Everything
 * typed about an actor (the methods of its refs, the handlers its class must have) is derived from this one table.
 * Protocols are static declarations, found by name when a ref arrives in a message.
 */

import type { z } from 'zod';
import type { AddressPattern } from './address.ts';
import { ProtocolError } from './errors.ts';

/** Control overtakes data and is never dropped; data is bounded, and parked by parameter version. */
export type Lane = 'control' | 'data';

/** In `from`: the actor that receives the message. */
export const itself = '.';
/** In `from`: code outside actors, of the system that the receiver lives in. */
export const ownOutside = '@';

export interface MessageOptions {
  /** Default `control`. */
  readonly lane?: Lane;
  /**
   * Patterns of the addresses that may send this message; default anyone. `@*` is code outside actors; see `itself` and
   * `ownOutside`.
   */
  readonly from?: readonly AddressPattern[];
  /** Whether only messages of the system's current gen are let in; default true. False for those that change the gen. */
  readonly fenced?: boolean;
}

interface MessageSpec<A> {
  readonly lane: Lane;
  readonly from: readonly AddressPattern[] | null;
  readonly fenced: boolean;
  readonly args: z.ZodType<A> | null;
}
export interface TellSpec<A> extends MessageSpec<A> {
  readonly kind: 'tell';
}
export interface AskSpec<A, R> extends MessageSpec<A> {
  readonly kind: 'ask';
  readonly reply: z.ZodType<R> | null;
}

/** Declares a message that is sent and not answered; without `args` it has none. */
export function tell(options?: MessageOptions): TellSpec<undefined>;
export function tell<A>(options: MessageOptions & { readonly args: z.ZodType<A> }): TellSpec<A>;
export function tell<A>(options: MessageOptions & { readonly args?: z.ZodType<A> } = {}): TellSpec<A> {
  return { kind: 'tell', ...filled(options), args: options.args ?? null };
}

/** Declares a message that is answered; without `args` it has none, without `reply` the answer is empty. */
export function ask(options?: MessageOptions): AskSpec<undefined, undefined>;
export function ask<A>(options: MessageOptions & { readonly args: z.ZodType<A> }): AskSpec<A, undefined>;
export function ask<R>(options: MessageOptions & { readonly reply: z.ZodType<R> }): AskSpec<undefined, R>;
export function ask<A, R>(
  options: MessageOptions & { readonly args: z.ZodType<A>; readonly reply: z.ZodType<R> },
): AskSpec<A, R>;
export function ask<A, R>(
  options: MessageOptions & { readonly args?: z.ZodType<A>; readonly reply?: z.ZodType<R> } = {},
): AskSpec<A, R> {
  return { kind: 'ask', ...filled(options), args: options.args ?? null, reply: options.reply ?? null };
}

const filled = ({ lane = 'control', from, fenced = true }: MessageOptions) => ({ lane, from: from ?? null, fenced });

export type AnyMessageSpec = TellSpec<unknown> | AskSpec<unknown, unknown>;
export type MessageTable = Readonly<Record<string, AnyMessageSpec>>;

export interface Protocol<T extends MessageTable> {
  readonly name: string;
  readonly messages: T;
}
export type AnyProtocol = Protocol<MessageTable>;

/** Args and reply of message `M` of protocol `P`, as types. */
export type ArgsOf<P extends AnyProtocol, M extends keyof P['messages']> =
  P['messages'][M] extends TellSpec<infer A> ? A : P['messages'][M] extends AskSpec<infer A, infer _R> ? A : never;
export type ReplyOf<P extends AnyProtocol, M extends keyof P['messages']> =
  P['messages'][M] extends AskSpec<infer _A, infer R> ? R : never;

const protocols = new Map<string, AnyProtocol>();
const RESERVED = new Set(['down', 'stopped', 'constructor']);

/** Declares a protocol; throws `ProtocolError` if the name is taken or a message has the name of an actor's hook. */
export function defineProtocol<const T extends MessageTable>(name: string, messages: T): Protocol<T> {
  if (protocols.has(name)) throw new ProtocolError(name, 'is declared twice; give the second another name');
  const hook = Object.keys(messages).find((message) => RESERVED.has(message));
  if (hook !== undefined) throw new ProtocolError(name, `has a message '${hook}', the name of a hook; rename it`);
  const protocol = { name, messages };
  protocols.set(name, protocol);
  return protocol;
}

/** The protocol of that name, or undefined if no loaded module declares it. */
export const protocolNamed = (name: string): AnyProtocol | undefined => protocols.get(name);
