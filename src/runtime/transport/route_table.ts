/**
 * Routes as bytes: packed once for each route that leaves, unpacked once for each that arrives, so that the strings of an
 * envelope cost nothing from the second message on.
 */

import { ENVELOPE_VERSION, type Kind, type Route } from '../system/envelope.ts';
import { MalformedFrame } from '../system/errors.ts';
import type { Lane } from '../system/protocol.ts';
import { formatOf, SYSTEM_FORMAT } from './protocol_format.ts';
import { Scratch } from './scratch.ts';

/** Routes remembered from other processes; when there are more, all are forgotten and found anew. */
const MAX_KNOWN = 4096;
const MAX_ROUTE_BYTES = 2048;

const KINDS: readonly Kind[] = ['tell', 'ask', 'reply', 'error', 'undeliverable', 'watch', 'unwatch', 'down'];
const LANES: readonly Lane[] = ['control', 'data'];

export class RouteTable {
  readonly #packed = new WeakMap<Route, Uint8Array>();
  readonly #known = new Map<string, Route>();
  readonly #scratch = new Scratch(4096);

  /** The bytes of `route`, packed at the first call. */
  bytesOf(route: Route): Uint8Array {
    const known = this.#packed.get(route);
    if (known !== undefined) return known;
    const { v, kind, lane, fenced, to, from, senderIncarnation, message, protocol } = route;
    const digest = formatOf(protocol)?.digest ?? null;
    const fields = [v, kind, lane, fenced, to, from, senderIncarnation, message, protocol, digest];
    this.#scratch.position = 0;
    SYSTEM_FORMAT.packInto(this.#scratch, fields);
    const bytes = Uint8Array.from(this.#scratch.bytes.subarray(0, this.#scratch.position));
    this.#packed.set(route, bytes);
    return bytes;
  }

  /** The route in `bytes[start, end)`; the same object for the same bytes. Throws `MalformedFrame`. */
  routeOf(bytes: Uint8Array, start: number, end: number): Route {
    if (end - start > MAX_ROUTE_BYTES) throw new MalformedFrame(`a route of ${end - start} bytes`);
    const key = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1');
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const route = toRoute(SYSTEM_FORMAT.unpack(bytes, start, end, false));
    if (this.#known.size >= MAX_KNOWN) this.#known.clear();
    this.#known.set(key, route);
    return route;
  }
}

function toRoute(fields: unknown): Route {
  if (!isList(fields)) throw new MalformedFrame('a route is no list');
  const [v, kindName, laneName, fenced, to, from, senderIncarnation, message, protocol, digest] = fields;
  if (v !== ENVELOPE_VERSION) {
    throw new MalformedFrame(`version ${typeof v === 'number' ? v : 'unknown'}, spoken here is ${ENVELOPE_VERSION}`);
  }
  const kind = KINDS.find((k) => k === kindName);
  const lane = LANES.find((l) => l === laneName);
  if (kind === undefined || lane === undefined) throw new MalformedFrame('a route of unknown kind or lane');
  if (typeof senderIncarnation !== 'number' || typeof fenced !== 'boolean') {
    throw new MalformedFrame('a route without sender incarnation or fence');
  }
  if (!isName(to) || !isName(from) || !isName(message) || !isName(protocol)) {
    throw new MalformedFrame('a route that does not say who, to whom or what');
  }
  // Where no module declares it, the frame is passed on and not read.
  const format = formatOf(protocol);
  if (format !== null && format.digest !== digest) {
    throw new MalformedFrame(`the sender has another table of protocol '${protocol}'`);
  }
  return { v, kind, lane, fenced, to, from, senderIncarnation, message, protocol };
}

/** Ask chain and traceparent, as they travel. */
export type Extras = readonly [readonly string[], string | null];

/** Throws `MalformedFrame` if `value` is not what it should be. */
export function toExtras(value: unknown): Extras {
  if (!isExtras(value)) throw new MalformedFrame('ask chain and traceparent are neither');
  return value;
}

function isExtras(value: unknown): value is Extras {
  if (!isList(value) || value.length !== 2) return false;
  const [chain, traceparent] = value;
  if (traceparent !== null && typeof traceparent !== 'string') return false;
  return isList(chain) && chain.every((address) => typeof address === 'string');
}

const isList = (value: unknown): value is readonly unknown[] => Array.isArray(value);

/** Names end in logs and on screens, where control characters of another process have no business. */
const isName = (value: unknown): value is string => typeof value === 'string' && !/\p{C}/u.test(value);
