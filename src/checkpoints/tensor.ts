/**
 * A tensor as it lies in a file: a name, a dtype, a shape and raw little-endian bytes in row-major order. This layer
 * moves bytes and knows nothing of devices; the few conversions below are what callers need to get numbers in and out.
 */
import { BadTensor } from './errors.ts';

export type Dtype = 'F32' | 'BF16' | 'F16' | 'I32' | 'I64' | 'U8';

/** Bytes of one element. */
export const DTYPE_BYTES: Readonly<Record<Dtype, number>> = { F32: 4, BF16: 2, F16: 2, I32: 4, I64: 8, U8: 1 };

/** A tensor without its values. */
export interface TensorHead {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
}

export interface TensorBytes extends TensorHead {
  /** `elementCount(shape)` elements, little-endian, row-major; may view shared memory. */
  readonly data: Uint8Array;
}

/** A tensor whose values come a part at a time, so that they are never all in memory. */
export interface TensorParts extends TensorHead {
  /** The bytes that `TensorBytes` has, in order, whole elements; each part may be overwritten once the next is asked for. */
  readonly parts: AsyncIterable<Uint8Array>;
}

export function isDtype(text: string): text is Dtype {
  return Object.hasOwn(DTYPE_BYTES, text);
}

/** Elements of a shape: 1 for the empty shape of a scalar. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, extent) => product * extent, 1);
}

/** Bytes of a tensor's values. */
export const byteLength = ({ dtype, shape }: TensorHead): number => elementCount(shape) * DTYPE_BYTES[dtype];

/** Views fp32 values as a tensor, without a copy. */
export function f32Tensor(name: string, shape: readonly number[], values: Float32Array): TensorBytes {
  return { name, dtype: 'F32', shape, data: new Uint8Array(values.buffer, values.byteOffset, values.byteLength) };
}

/** Views i32 values as a tensor, without a copy. */
export function i32Tensor(name: string, shape: readonly number[], values: Int32Array): TensorBytes {
  return { name, dtype: 'I32', shape, data: new Uint8Array(values.buffer, values.byteOffset, values.byteLength) };
}

/** The values of an F32, BF16 or F16 tensor as fp32, exactly, in fresh memory; throws `BadTensor` for other dtypes. */
export function float32Of({ name, dtype, data }: TensorBytes): Float32Array<ArrayBuffer> {
  if (dtype === 'F32') return new Float32Array(new Uint8Array(data).buffer);
  if (dtype !== 'BF16' && dtype !== 'F16') {
    throw new BadTensor(name, 'this checkpoint', `${dtype} is no float`, 'read its bytes');
  }
  const halves = halvesOf(data);
  const values = new Float32Array(halves.length);
  if (dtype === 'F16') for (let i = 0; i < halves.length; i++) values[i] = fromHalf(halves[i]);
  else {
    const bits = new Uint32Array(values.buffer);
    for (let i = 0; i < halves.length; i++) bits[i] = halves[i] << 16;
  }
  return values;
}

/** The same, in the tensor's own memory where it has them as they are: for who reads it and keeps nothing else of it. */
export function float32In(tensor: TensorBytes): Float32Array {
  const { dtype, data } = tensor;
  if (dtype !== 'F32' || data.byteOffset % 4 !== 0) return float32Of(tensor);
  return new Float32Array(data.buffer, data.byteOffset, data.length / 4);
}

/** Views bytes as 16-bit elements; a copy only where they do not lie at an even place. */
function halvesOf(data: Uint8Array): Uint16Array {
  const { buffer, byteOffset, byteLength } = data.byteOffset % 2 === 0 ? data : new Uint8Array(data);
  return new Uint16Array(buffer, byteOffset, byteLength / 2);
}

/** The value of an IEEE binary16 bit pattern. */
function fromHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
