/**
 * Routes as bytes: packed once for each route that leaves, unpacked once for each that arrives, so that the strings of an
 * envelope cost nothing from the second message on.
 */

import { ENVELOPE_VERSION, type Kind, type Route } from '../system/envelope.ts';
import { MalformedFrame } from '../system/errors.ts';
import type { Lane } from '../system/protocol.ts';
import { Packer } from './packer.ts';
import { Unpacker } from './unpacker.ts';

/** Routes remembered from other processes; when there are more, all are forgotten and found anew. */
const MAX_KNOWN = 4096;
const MAX_ROUTE_BYTES = 2048;

const KINDS: readonly Kind[] = ['tell', 'ask', 'reply', 'error', 'undeliverable', 'watch', 'unwatch', 'down'];
const LANES: readonly Lane[] = ['control', 'data'];

export class RouteTable {
  readonly #packed = new WeakMap<Route, Uint8Array>();
  readonly #known = new Map<string, Route>();
  readonly #packer = new Packer(4096);
  readonly #unpacker = new Unpacker();

  /** The bytes of `route`, packed at the first call. */
  bytesOf(route: Route): Uint8Array {
    const known = this.#packed.get(route);
    if (known !== undefined) return known;
    this.#packer.clear(0);
    this.#packer.write({ ...route });
    const bytes = this.#packer.bytes.slice(0, this.#packer.position);
    this.#packed.set(route, bytes);
    return bytes;
  }

  /** The route in `bytes[start, end)`; the same object for the same bytes. Throws `MalformedFrame`. */
  routeOf(bytes: Uint8Array, start: number, end: number): Route {
    if (end - start > MAX_ROUTE_BYTES) throw new MalformedFrame(`a route of ${end - start} bytes`);
    const key = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1');
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    this.#unpacker.open(bytes, new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), 0, 0, false);
    const route = toRoute(this.#unpacker.read(start, end));
    if (this.#known.size >= MAX_KNOWN) this.#known.clear();
    this.#known.set(key, route);
    return route;
  }
}

function toRoute(value: unknown): Route {
  if (typeof value !== 'object' || value === null) throw new MalformedFrame('a route is no map');
  const fields = new Map<string, unknown>(Object.entries(value));
  const v = fields.get('v');
  if (v !== ENVELOPE_VERSION) throw new MalformedFrame(`version ${String(v)}, spoken here is ${ENVELOPE_VERSION}`);
  const kind = KINDS.find((k) => k === fields.get('kind'));
  const lane = LANES.find((l) => l === fields.get('lane'));
  const senderIncarnation = fields.get('senderIncarnation');
  if (kind === undefined || lane === undefined) throw new MalformedFrame('a route of unknown kind or lane');
  if (typeof senderIncarnation !== 'number') throw new MalformedFrame('a route without sender incarnation');
  const text = (name: string): string => {
    const field = fields.get(name);
    if (typeof field !== 'string') throw new MalformedFrame(`a route without '${name}'`);
    return field;
  };
  const fenced = fields.get('fenced') === true;
  return { v, kind, lane, fenced, to: text('to'), from: text('from'), senderIncarnation, message: text('message') };
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
