/**
 * Which messages an actor takes: those of its table, from those who may send them, with args of the schema. What is true
 * of a route is found once and remembered.
 */

import type { Context } from './actor.ts';
import { matcher, type Address, type AddressPattern } from './address.ts';
import type { Delivery } from './delivery.ts';
import type { Route } from './envelope.ts';
import { InvalidArgs, NotAllowed, ProtocolError } from './errors.ts';
import { itself, ownOutside, type AnyMessageSpec, type AnyProtocol } from './protocol.ts';
import { routeFrom, type Speaker } from './speaker.ts';

export type Handler = (this: unknown, args: unknown, ctx: Context) => unknown;

/** `always` checks all args against their schema, `remote` those that were encoded in another process. */
export type Validate = 'always' | 'remote';

/** How messages of one route are taken, or why they are not. */
export interface Entry {
  readonly handler: Handler;
  readonly replyRoute: Route;
  readonly spec: AnyMessageSpec | null;
  readonly refusal: Error | null;
}

export interface AdmissionOptions {
  readonly protocol: AnyProtocol;
  /** The actor. */
  readonly speaker: Pick<Speaker, 'address' | 'incarnation'>;
  /** The address of code outside actors, in the actor's system. */
  readonly outside: Address;
  readonly validate: Validate;
}

export class Admission {
  readonly #protocol: AnyProtocol;
  readonly #speaker: AdmissionOptions['speaker'];
  readonly #outside: Address;
  readonly #validate: Validate;
  readonly #entries = new WeakMap<Route, Entry>();
  #actor: object = {};

  constructor({ protocol, speaker, outside, validate }: AdmissionOptions) {
    this.#protocol = protocol;
    this.#speaker = speaker;
    this.#outside = outside;
    this.#validate = validate;
  }

  /** Names the object whose methods handle; throws `ProtocolError` if a message has none. */
  admitTo(actor: object): void {
    for (const message of Object.keys(this.#protocol.messages)) {
      if (methodOf(actor, message) !== null) continue;
      throw new ProtocolError(this.#speaker.address, `has no method '${message}'; add it to the actor`);
    }
    this.#actor = actor;
  }

  entry(route: Route): Entry {
    const known = this.#entries.get(route);
    if (known !== undefined) return known;
    const entry = this.#resolve(route);
    this.#entries.set(route, entry);
    return entry;
  }

  /** Why this message is not taken, or null. */
  refusal({ refusal, spec }: Entry, delivery: Delivery): Error | null {
    if (refusal !== null) return refusal;
    if (this.#validate === 'remote' && delivery.trusted) return null;
    if (spec === null) return null;
    if (spec.args === null)
      return delivery.args === undefined ? null : this.#invalid(delivery, 'has args but takes none');
    const { error } = spec.args.safeParse(delivery.args);
    if (error === undefined) return null;
    const { path, message } = error.issues[0];
    return this.#invalid(delivery, `${path.length > 0 ? `args.${path.join('.')}` : 'args'}: ${message}`);
  }

  #invalid(delivery: Delivery, problem: string): InvalidArgs {
    return new InvalidArgs(this.#speaker.address, delivery.route.message, problem);
  }

  #resolve(route: Route): Entry {
    const { to, from, message, kind, fenced, protocol } = route;
    // By the table that the asker knows, which may be a part of this one.
    const replyRoute = routeFrom(this.#speaker, from, message, 'reply', 'control', fenced, protocol);
    const spec = ownSpec(this.#protocol, message);
    const handler = methodOf(this.#actor, message);
    if (spec?.kind !== kind || handler === null) {
      const refusal = new ProtocolError(to, `has no ${kind} '${message}' in protocol '${this.#protocol.name}'`);
      return { handler: ignore, replyRoute, spec: null, refusal };
    }
    const refusal = this.#mayCome(spec, from) ? this.#misstated(route, spec) : new NotAllowed(to, message, from);
    return { handler, replyRoute, spec, refusal };
  }

  #mayCome({ from: patterns }: AnyMessageSpec, from: Address): boolean {
    if (patterns === null) return true;
    const named = (pattern: AddressPattern): AddressPattern => {
      if (pattern === itself) return this.#speaker.address;
      return pattern === ownOutside ? this.#outside : pattern;
    };
    return matcher(patterns.map(named))(from);
  }

  /** Lane and fence are the receiver's to say: a sender cannot talk its way past them. */
  #misstated({ to, message, lane, fenced }: Route, spec: AnyMessageSpec): Error | null {
    if (lane === spec.lane && fenced === spec.fenced) return null;
    return new ProtocolError(
      to,
      `'${message}' came with lane or fence unlike its table; run the same version everywhere`,
    );
  }
}

const ignore: Handler = () => undefined;

function ownSpec(protocol: AnyProtocol, message: Address): AnyMessageSpec | undefined {
  return Object.hasOwn(protocol.messages, message) ? protocol.messages[message] : undefined;
}

/** The method of that name, or null. */
export function methodOf(actor: object, name: string): Handler | null {
  const method: unknown = Reflect.get(actor, name);
  return isHandler(method) ? method : null;
}

const isHandler = (value: unknown): value is Handler => typeof value === 'function';
