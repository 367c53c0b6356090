/**
 * Envelopes to frames and back. A frame is a stamp of 64 fixed bytes, the route (packed once, and left out where the
 * receiver knows it), ask chain and traceparent if there are any, args, then tensors as raw bytes, copied once. Small
 * frames lie in one scratch buffer; those with tensors in memory leased from a pool.
 */

import { Delivery } from '../system/delivery.ts';
import { NO_CHAIN, type Envelope, type Route } from '../system/envelope.ts';
import { CannotEncode, MalformedFrame } from '../system/errors.ts';
import type { Endpoint } from '../system/transport_port.ts';
import { Aside } from './aside.ts';
import type { Frame, FramePieces, FramePool } from './frame.ts';
import { formatOf, SYSTEM_FORMAT, type ProtocolFormat } from './protocol_format.ts';
import { putBack, type Revive } from './put_back.ts';
import { RouteTable, toExtras } from './route_table.ts';
import { Scratch } from './scratch.ts';
import { alignUp, Flag, MAGIC, MAX_FRAME_BYTES, MAX_HEADER_BYTES, placeBytes, Stamp, TENSOR_ALIGN } from './wire.ts';

/** Encoded bytes; without a frame they lie in the codec's scratch and last until its next `encode`. */
export interface Encoded {
  bytes: Uint8Array;
  view: DataView;
  length: number;
  frame: Frame | null;
}

/** Encoded bytes yet to be filled in. */
export function blank(): Encoded {
  return { bytes: new Uint8Array(), view: new DataView(new ArrayBuffer(0)), length: 0, frame: null };
}

const PADDING = new Uint8Array(TENSOR_ALIGN);

export class Codec {
  readonly #pool: FramePool;
  readonly #scratch = new Scratch();
  readonly #aside = new Aside();
  readonly #routes = new RouteTable();
  readonly #encoded = blank();

  constructor(pool: FramePool) {
    this.#pool = pool;
  }

  /** Encodes into the one `Encoded` that this codec has; with `withRoute` for a receiver that does not know the route. */
  encode(envelope: Envelope, withRoute: boolean): Encoded {
    const headerBytes = this.#pack(envelope, withRoute);
    if (this.#aside.arrayBytes > 0) return this.#encodeArrays(headerBytes, envelope.route);
    const encoded = this.#encoded;
    encoded.bytes = this.#scratch.bytes;
    encoded.view = this.#scratch.view;
    encoded.length = headerBytes;
    encoded.frame = null;
    return encoded;
  }

  /** Encodes whole, without copying the tensors: the pieces last until the next call, and until their tensors change. */
  gather(envelope: Envelope): FramePieces {
    const headerBytes = this.#pack(envelope, true);
    const { arrays, arrayBytes } = this.#aside;
    const pieces: Uint8Array[] = [this.#scratch.bytes.subarray(0, headerBytes)];
    if (arrayBytes === 0) return pieces;
    this.#checkLength(headerBytes, envelope.route);
    pieces.push(PADDING.subarray(0, alignUp(headerBytes) - headerBytes));
    for (const array of arrays)
      pieces.push(array, PADDING.subarray(0, placeBytes(array.byteLength) - array.byteLength));
    this.#aside.clear();
    return pieces;
  }

  /** Packs all but the tensors; returns how many bytes that takes. */
  #pack(envelope: Envelope, withRoute: boolean): number {
    const scratch = this.#scratch;
    const { route, askChain, traceparent, args } = envelope;
    scratch.position = Stamp.bytes;
    if (withRoute) scratch.append(this.#routes.bytesOf(route));
    const extrasAt = scratch.position;
    if (askChain.length > 0 || traceparent !== null) SYSTEM_FORMAT.packInto(scratch, [askChain, traceparent]);
    const argsAt = scratch.position;
    this.#aside.clear();
    if (args !== undefined) this.#packArgs(route, args);
    const headerBytes = scratch.position;
    if (headerBytes > MAX_HEADER_BYTES) {
      throw new CannotEncode(
        `'${route.message}' packs to ${headerBytes} bytes of at most ${MAX_HEADER_BYTES} without tensors`,
      );
    }
    const { view } = scratch;
    view.setUint16(Stamp.magicU16, MAGIC, true);
    view.setUint8(Stamp.versionU8, route.v);
    writeCount(view, Stamp.idU64, envelope.id);
    writeCount(view, Stamp.replyToU64, envelope.replyTo);
    view.setFloat64(Stamp.remainingMsF64, envelope.remainingMs ?? -1, true);
    view.setUint32(Stamp.genU32, envelope.gen, true);
    view.setUint32(Stamp.paramsVersionU32, envelope.paramsVersion === null ? 0 : envelope.paramsVersion + 1, true);
    view.setUint32(Stamp.routeBytesU32, extrasAt - Stamp.bytes, true);
    view.setUint32(Stamp.extraBytesU32, argsAt - extrasAt, true);
    view.setUint32(Stamp.argsBytesU32, headerBytes - argsAt, true);
    view.setUint32(Stamp.arrayBytesU32, this.#aside.arrayBytes, true);
    return headerBytes;
  }

  #packArgs(route: Route, args: unknown): void {
    const format = formatOfRoute(route);
    const places = format.placesOf(route.message, route.kind);
    format.packInto(this.#scratch, places === null ? args : this.#aside.take(args, places));
  }

  /** The route in `encoded`; nothing behind it is looked at. Throws `MalformedFrame`, and lets the frame go. */
  routeOf({ bytes, view, length, frame }: Encoded): Route {
    try {
      return this.#routes.routeOf(bytes, Stamp.bytes, routeEnd(view, length));
    } catch (error) {
      frame?.release();
      throw error;
    }
  }

  /**
   * Decodes what `encoded` holds, for `endpoint`; `knownRoute` if the bytes have none, or it has been read. Tensors are
   * views over its frame, whose lease goes to the delivery; those of answers are copies. What is flagged as foreign is not
   * trusted. Throws `MalformedFrame`, and lets the frame go.
   */
  decode(encoded: Encoded, knownRoute: Route | null, endpoint: Endpoint, trusted: boolean): Delivery {
    try {
      return this.#decode(encoded, knownRoute, endpoint, trusted);
    } catch (error) {
      encoded.frame?.release();
      throw error;
    }
  }

  #encodeArrays(headerBytes: number, route: Route): Encoded {
    const { arrays } = this.#aside;
    const length = this.#checkLength(headerBytes, route);
    const arraysAt = alignUp(headerBytes);
    const frame = this.#pool.lease(length);
    frame.bytes.set(this.#scratch.bytes.subarray(0, headerBytes));
    frame.bytes.fill(0, headerBytes, arraysAt);
    let at = arraysAt;
    for (const array of arrays) {
      frame.bytes.set(array, at);
      at += placeBytes(array.byteLength);
    }
    this.#aside.clear();
    return Object.assign(this.#encoded, { bytes: frame.bytes, view: frame.view, length, frame });
  }

  /** The length of a frame with tensors; throws `CannotEncode`. */
  #checkLength(headerBytes: number, { message }: Route): number {
    const { arrayBytes } = this.#aside;
    const length = alignUp(headerBytes) + arrayBytes;
    if (length <= MAX_FRAME_BYTES) return length;
    throw new CannotEncode(`'${message}' has ${arrayBytes} bytes of tensors, a frame holds ${MAX_FRAME_BYTES}`);
  }

  #decode(
    { bytes, view, length, frame }: Encoded,
    knownRoute: Route | null,
    endpoint: Endpoint,
    trusted: boolean,
  ): Delivery {
    const extrasAt = routeEnd(view, length);
    const argsAt = extrasAt + view.getUint32(Stamp.extraBytesU32, true);
    const headerEnd = argsAt + view.getUint32(Stamp.argsBytesU32, true);
    const arrayBytes = view.getUint32(Stamp.arrayBytesU32, true);
    const arraysAt = alignUp(headerEnd);
    if (headerEnd > length || (arrayBytes > 0 && arraysAt + arrayBytes > length)) {
      throw new MalformedFrame(`its parts are longer than its ${length} bytes`);
    }
    const route = knownRoute ?? this.#routes.routeOf(bytes, Stamp.bytes, extrasAt);
    const isAnswer = route.kind === 'reply';
    const isTrusted = trusted && (view.getUint8(Stamp.flagsU8) & Flag.foreign) === 0;
    const extras = argsAt > extrasAt ? toExtras(SYSTEM_FORMAT.unpack(bytes, extrasAt, argsAt, isTrusted)) : null;
    let args: unknown = undefined;
    if (headerEnd > argsAt) {
      const format = formatOfRoute(route);
      args = format.unpack(bytes, argsAt, headerEnd, isTrusted);
      const places = format.placesOf(route.message, route.kind);
      if (places !== null) {
        const revive: Revive = (address, protocol) => endpoint.revive(route.to, address, protocol);
        args = putBack(args, places, { bytes, start: arraysAt, length: arrayBytes, isCopied: isAnswer }, revive);
      }
    }
    const id = readCount(view, Stamp.idU64);
    const replyTo = readCount(view, Stamp.replyToU64);
    const remainingMs = view.getFloat64(Stamp.remainingMsF64, true);
    const gen = view.getUint32(Stamp.genU32, true);
    const version = view.getUint32(Stamp.paramsVersionU32, true);
    // What is not a tensor has been copied.
    const isKept = arrayBytes > 0 && !isAnswer;
    if (!isKept) frame?.release();
    return new Delivery(
      route,
      gen,
      version === 0 ? null : version - 1,
      id,
      replyTo,
      remainingMs >= 0 ? remainingMs : null,
      extras === null ? NO_CHAIN : extras[0],
      extras === null ? null : extras[1],
      args,
      isKept ? frame : null,
      isTrusted,
    );
  }
}

/** How the args of `route` are packed; throws `MalformedFrame` if nothing here declares its protocol. */
function formatOfRoute({ kind, protocol }: Route): ProtocolFormat {
  if (kind !== 'tell' && kind !== 'ask' && kind !== 'reply') return SYSTEM_FORMAT;
  const format = formatOf(protocol);
  if (format === null) throw new MalformedFrame(`a message of protocol '${protocol}', which is not declared here`);
  return format;
}

/** Where the route ends; throws `MalformedFrame` if there is no stamp, or no room for that route. */
function routeEnd(view: DataView, length: number): number {
  if (length < Stamp.bytes) throw new MalformedFrame(`${length} bytes are less than a stamp`);
  if (view.getUint16(Stamp.magicU16, true) !== MAGIC) throw new MalformedFrame('the magic number is missing');
  const end = Stamp.bytes + view.getUint32(Stamp.routeBytesU32, true);
  if (end > length) throw new MalformedFrame(`its route is longer than its ${length} bytes`);
  return end;
}

const TWO_32 = 2 ** 32;
const MAX_HIGH = 2 ** 21;

// Two halves and not a float: a count read as an integer needs no heap number.
function writeCount(view: DataView, offset: number, count: number): void {
  view.setUint32(offset, count >>> 0, true);
  view.setUint32(offset + 4, count < TWO_32 ? 0 : Math.floor(count / TWO_32), true);
}

function readCount(view: DataView, offset: number): number {
  const low = view.getUint32(offset, true);
  const high = view.getUint32(offset + 4, true);
  if (high === 0) return low;
  if (high >= MAX_HIGH) throw new MalformedFrame('a message id is beyond 2^53');
  return high * TWO_32 + low;
}
