/**
 * The numbers of the wire format: limits, element types, and the places of the stamp's fields.
 */

import type { TensorData, TensorDtype } from '../system/tensor.ts';

/** Nesting of args, bytes of a whole frame, bytes of route + extras + args together. */
export const MAX_DEPTH = 32;
export const MAX_FRAME_BYTES = 1 << 30;
export const MAX_HEADER_BYTES = 16 << 20;

/** Tensors start at multiples of this from the start of the frame, and frames at multiples of it in memory. */
export const TENSOR_ALIGN = 64;

/** The next multiple of `TENSOR_ALIGN`; also above 2^31, where bit operations would wrap. */
export const alignUp = (bytes: number): number => Math.ceil(bytes / TENSOR_ALIGN) * TENSOR_ALIGN;

/** What a tensor of `bytes` takes in a frame, with the padding behind it. */
export const placeBytes = (bytes: number): number => Math.max(TENSOR_ALIGN, alignUp(bytes));

/** Bytes of one element. */
export const WIDTHS: Readonly<Record<TensorDtype, number>> = { f32: 4, i32: 4, u32: 4, u16: 2, u8: 1 };

export const isDtype = (value: unknown): value is TensorDtype =>
  typeof value === 'string' && Object.hasOwn(WIDTHS, value);

/** A view of `length` elements at byte `offset` of `buffer`. */
export function arrayView(dtype: TensorDtype, buffer: ArrayBufferLike, offset: number, length: number): TensorData {
  switch (dtype) {
    case 'f32':
      return new Float32Array(buffer, offset, length);
    case 'i32':
      return new Int32Array(buffer, offset, length);
    case 'u32':
      return new Uint32Array(buffer, offset, length);
    case 'u16':
      return new Uint16Array(buffer, offset, length);
    case 'u8':
      return new Uint8Array(buffer, offset, length);
  }
}

/**
 * The stamp: 64 bytes at the start of every frame, little-endian: offsets in bytes, types in the names. Behind it: route
 * bytes (none if the receiver knows the route), extras (ask chain, traceparent), args, each as MessagePack, then, from the
 * next multiple of 64, the tensors.
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
