/**
 * What the runtime knows of a tensor: an element type, a shape, and a flat typed array that rides in message args.
 * The codec lays the array into a frame as raw bytes; a received one is a view over that frame and lives only until its
 * handler has finished. One that came in an answer is a copy, which belongs to the asker.
 */

import { z } from 'zod';

/** A tensor in message args; `data` holds the product of `shape` elements, row-major. */
export type TensorPayload =
  | { readonly dtype: 'f32'; readonly shape: readonly number[]; readonly data: Float32Array }
  | { readonly dtype: 'i32'; readonly shape: readonly number[]; readonly data: Int32Array }
  | { readonly dtype: 'u32'; readonly shape: readonly number[]; readonly data: Uint32Array }
  | { readonly dtype: 'u16'; readonly shape: readonly number[]; readonly data: Uint16Array }
  | { readonly dtype: 'u8'; readonly shape: readonly number[]; readonly data: Uint8Array };

export type TensorDtype = TensorPayload['dtype'];
export type TensorData = TensorPayload['data'];

/** True for a well-formed tensor whose data has the element type and the length that dtype and shape say. */
export function isTensor(value: unknown): value is TensorPayload {
  if (typeof value !== 'object' || value === null) return false;
  if (!('dtype' in value && 'shape' in value && 'data' in value)) return false;
  const { dtype, shape, data } = value;
  if (!Array.isArray(shape) || !shape.every((n) => Number.isSafeInteger(n) && Number(n) >= 0)) return false;
  const elements = shape.reduce<number>((product, n) => product * Number(n), 1);
  return hasDtype(dtype, data) && data.length === elements;
}

function hasDtype(dtype: unknown, data: unknown): data is TensorData {
  switch (dtype) {
    case 'f32':
      return data instanceof Float32Array;
    case 'i32':
      return data instanceof Int32Array;
    case 'u32':
      return data instanceof Uint32Array;
    case 'u16':
      return data instanceof Uint16Array;
    case 'u8':
      return data instanceof Uint8Array;
    default:
      return false;
  }
}

/** Schema of a tensor in message args. */
export const tensorSchema: z.ZodType<TensorPayload> = z.custom<TensorPayload>(isTensor, 'expected a tensor');

/** Whether `schema` is `tensorSchema`, or one made of it by further checks. */
export const isTensorSchema = (schema: unknown): boolean => schema instanceof z.ZodCustom && schema.def.fn === isTensor;

/**
 * Frees the memory of a tensor that came in an answer; its data is empty from then on. Worth a call where answers are
 * large: left to the garbage collector, some 600 MiB of them lie about before it looks.
 */
export function freeAnswered({ data }: TensorPayload): void {
  const { buffer } = data;
  // An answer's tensor fills its memory; anything else is a view that others may share.
  if (buffer instanceof ArrayBuffer && data.byteLength === buffer.byteLength) buffer.transfer(0);
}
