/**
 * Element types. bf16 has no typed array of its own: it is stored as its 16 bits in a `Uint16Array`, and only the ops
 * that pack and unpack it look inside.
 */
import { DTypeError } from './errors.ts';

export type DType = 'f32' | 'i32' | 'u32' | 'bf16';
export type Data = Float32Array | Int32Array | Uint32Array | Uint16Array;

export const bytesPerElement = { f32: 4, i32: 4, u32: 4, bf16: 2 } as const satisfies Record<DType, number>;

/** A view of `length` elements of `dtype` at `byteOffset` of `buffer`. */
export function view(dtype: DType, buffer: ArrayBufferLike, byteOffset: number, length: number): Data {
  switch (dtype) {
    case 'f32':
      return new Float32Array(buffer, byteOffset, length);
    case 'i32':
      return new Int32Array(buffer, byteOffset, length);
    case 'u32':
      return new Uint32Array(buffer, byteOffset, length);
    case 'bf16':
      return new Uint16Array(buffer, byteOffset, length);
  }
}

/** Fresh zeroed storage of its own, for tests and for the plain reference. */
export function allocate(dtype: DType, length: number): Data {
  return view(dtype, new ArrayBuffer(length * bytesPerElement[dtype]), 0, length);
}

/** Zeroes floats, two at once: shared memory is filled number by number, and the larger ones take half the time. */
export function clear(data: Float32Array): void {
  const { buffer, byteOffset, length } = data;
  const first = byteOffset % 8 === 0 ? 0 : 1;
  const pairs = Math.floor((length - first) / 2);
  if (pairs <= 0) {
    data.fill(0);
    return;
  }
  data.fill(0, 0, first);
  new Float64Array(buffer, byteOffset + 4 * first, pairs).fill(0);
  data.fill(0, first + 2 * pairs);
}

/** The operand's data as 32-bit floats. Throws `DTypeError` when it holds something else. */
export function floats(op: string, data: Data): Float32Array {
  if (data instanceof Float32Array) return data;
  throw new DTypeError(op, 'f32', data.constructor.name);
}

/** The operand's data as 32-bit signed integers. Throws `DTypeError` when it holds something else. */
export function ints(op: string, data: Data): Int32Array {
  if (data instanceof Int32Array) return data;
  throw new DTypeError(op, 'i32', data.constructor.name);
}

/** The operand's data as the bits of bf16 numbers. Throws `DTypeError` when it holds something else. */
export function halves(op: string, data: Data): Uint16Array {
  if (data instanceof Uint16Array) return data;
  throw new DTypeError(op, 'bf16', data.constructor.name);
}

/** From so many bytes on it matters when memory is given back; what is smaller the collector finds in time. */
const worthReleasing = 2 ** 24;

/**
 * Gives a large array's memory back at once, where the collector would do so once it comes by: nobody may read it, or anything else in
 * the same buffer, any more. Shared memory stays.
 */
export function release({ buffer }: Data): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength >= worthReleasing) buffer.transfer(0);
}
