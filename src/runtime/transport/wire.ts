/**
 * The numbers of the wire format, shared by packer, unpacker and codec: limits, extension types, element types, and the
 * places of the stamp's fields.
 */

/** Nesting of args, bytes of a whole frame, bytes of route + extras + args together. */
export const MAX_DEPTH = 32;
export const MAX_FRAME_BYTES = 1 << 30;
export const MAX_HEADER_BYTES = 16 << 20;

/** Tensors start at multiples of this from the start of the frame, and frames at multiples of it in memory. */
export const TENSOR_ALIGN = 64;

/** MessagePack extension types. `undefined` is the one msgpackr uses. */
export const Ext = { undefined: 0, array: 0x41, ref: 0x42 } as const;

export type RawArray = Uint8Array;
export type TravellingArray = Float32Array | Int32Array | Uint32Array | Uint16Array | Uint8Array | Float64Array;

/** The element type's code on the wire; 0 if arrays of it do not travel. */
export function arrayCode(value: ArrayBufferView): number {
  if (value instanceof Float32Array) return 1;
  if (value instanceof Int32Array) return 2;
  if (value instanceof Uint32Array) return 3;
  if (value instanceof Uint16Array) return 4;
  if (value instanceof Uint8Array) return 5;
  if (value instanceof Float64Array) return 6;
  return 0;
}

const WIDTHS = [0, 4, 4, 4, 2, 1, 8];

/** Bytes of one element; 0 for an unknown code. */
export const elementBytes = (code: number): number => WIDTHS[code] ?? 0;

/** A view of `length` elements of type `code` at byte `offset` of `buffer`. */
export function arrayView(code: number, buffer: ArrayBufferLike, offset: number, length: number): TravellingArray {
  switch (code) {
    case 1:
      return new Float32Array(buffer, offset, length);
    case 2:
      return new Int32Array(buffer, offset, length);
    case 3:
      return new Uint32Array(buffer, offset, length);
    case 4:
      return new Uint16Array(buffer, offset, length);
    case 5:
      return new Uint8Array(buffer, offset, length);
    default:
      return new Float64Array(buffer, offset, length);
  }
}

/**
 * The stamp: 64 bytes at the start of every frame, little-endian: offsets in bytes, types in the names. Behind it: route bytes (none if the receiver knows the route), extras (ask chain, traceparent), args, each as MessagePack,
 * then, from the next multiple of 64, the tensors.
 */
export const Stamp = {
  magicU16: 0,
  versionU8: 2,
  flagsU8: 3,
  /** Not used yet, zero: an id for routes that a link has agreed on. */
  routeIdU32: 4,
  idU64: 8,
  replyToU64: 16,
  remainingMsF64: 24,
  genU32: 32,
  /** Parameter version + 1; 0 is none. */
  paramsVersionU32: 36,
  routeBytesU32: 40,
  extraBytesU32: 44,
  argsBytesU32: 48,
  arrayBytesU32: 52,
  bytes: 64,
} as const;

/** Bits of the stamp's flags. `foreign`: came from another process, and is not to be trusted. Set by who let it in. */
export const Flag = { foreign: 1 } as const;

export const MAGIC = 0x5054;
