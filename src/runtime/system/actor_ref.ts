/**
 * The ref that the system makes: one method a message, each with its route packed once. It is owned by a speaker, whose
 * parameter version, gen, ask chain and trace go into what is sent.
 */

import type { Address } from './address.ts';
import { ProtocolError } from './errors.ts';
import type { AnyProtocol } from './protocol.ts';
import { RefIdentity, type AskMethods, type AskOptions, type Ref, type TellMethods } from './ref.ts';
import type { Sender } from './sender.ts';
import { routeFrom, type Speaker } from './speaker.ts';

export class ActorRef<P extends AnyProtocol> extends RefIdentity implements Ref<P> {
  declare readonly protocol: P;
  readonly tell: TellMethods<P>;
  readonly ask: AskMethods<P>;

  constructor(sender: Sender, speaker: Speaker, protocol: P, address: Address) {
    super(address, protocol);
    const tells: Record<string, unknown> = {};
    const asks: Record<string, unknown> = {};
    for (const [message, spec] of Object.entries(protocol.messages)) {
      const route = routeFrom(speaker, address, message, spec.kind, spec.lane, spec.fenced, protocol.name);
      if (spec.kind === 'tell') tells[message] = (args: unknown) => sender.tell(route, speaker, args);
      else
        asks[message] = (args: unknown, options?: AskOptions) => sender.ask(route, speaker, args, options?.timeoutMs);
    }
    if (!isTells(tells, protocol) || !isAsks(asks, protocol)) {
      throw new ProtocolError(`protocol '${protocol.name}'`, 'has messages that are neither tells nor asks');
    }
    this.tell = tells;
    this.ask = asks;
  }
}

const hasAll = (methods: Record<string, unknown>, protocol: AnyProtocol, kind: 'tell' | 'ask'): boolean =>
  Object.entries(protocol.messages).every(([m, spec]) => spec.kind !== kind || typeof methods[m] === 'function');

function isTells<P extends AnyProtocol>(methods: unknown, protocol: P): methods is TellMethods<P> {
  return isRecord(methods) && hasAll(methods, protocol, 'tell');
}

function isAsks<P extends AnyProtocol>(methods: unknown, protocol: P): methods is AskMethods<P> {
  return isRecord(methods) && hasAll(methods, protocol, 'ask');
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
