/**
 * Puts tensors and refs back into args that were unpacked, where `Aside` took them out. Tensors come back as views over
 * the frame, or as copies where nobody will say when the frame may go; a place that is not inside the frame is refused.
 */

import { MalformedFrame } from '../system/errors.ts';
import type { TensorData } from '../system/tensor.ts';
import type { Places } from './places.ts';
import { arrayView, isDtype, TENSOR_ALIGN, WIDTHS } from './wire.ts';

/** Makes the ref that was read. */
export type Revive = (address: string, protocol: string) => unknown;

/** Where the tensors of a frame are. */
export interface TensorBytes {
  readonly bytes: Uint8Array;
  /** Where the first one starts, and what all take. */
  readonly start: number;
  readonly length: number;
  readonly isCopied: boolean;
}

/** `value` with its tensors and refs; changed in place. Throws `MalformedFrame`. */
export function putBack(value: unknown, places: Places, tensors: TensorBytes, revive: Revive): unknown {
  if (!isObject(value)) return value;
  if (places.tensor && 'dtype' in value) return Object.assign(value, { data: dataOf(value, tensors) });
  if (places.ref && 'protocol' in value) return refOf(value, revive);
  const { items, values, fields } = places;
  if (Array.isArray(value)) return items === null ? value : value.map((each) => putBack(each, items, tensors, revive));
  if (values !== null) {
    for (const key of Object.keys(value)) value[key] = putBack(value[key], values, tensors, revive);
  }
  for (const [key, inner] of fields) {
    if (Object.hasOwn(value, key)) value[key] = putBack(value[key], inner, tensors, revive);
  }
  return value;
}

function dataOf({ dtype, shape, data: offset }: Record<string, unknown>, tensors: TensorBytes): TensorData {
  if (!isDtype(dtype)) throw new MalformedFrame('a tensor of no dtype that is known');
  const elements = elementsOf(shape);
  if (typeof offset !== 'number' || offset < 0 || offset % TENSOR_ALIGN !== 0) {
    throw new MalformedFrame('a tensor that says no place');
  }
  const byteLength = elements * WIDTHS[dtype];
  if (offset + byteLength > tensors.length) {
    throw new MalformedFrame(`a tensor at ${offset}, ${byteLength} bytes, lies outside of ${tensors.length} bytes`);
  }
  const { buffer, byteOffset } = tensors.bytes;
  const view = arrayView(dtype, buffer, byteOffset + tensors.start + offset, elements);
  return tensors.isCopied ? view.slice() : view;
}

function elementsOf(shape: unknown): number {
  let elements = 1;
  for (const size of Array.isArray(shape) ? shape : [NaN]) {
    if (!Number.isSafeInteger(size) || Number(size) < 0) throw new MalformedFrame('a tensor without a shape');
    elements *= Number(size);
  }
  return elements;
}

function refOf({ address, protocol }: Record<string, unknown>, revive: Revive): unknown {
  if (typeof address !== 'string' || typeof protocol !== 'string') throw new MalformedFrame('a ref without its names');
  return revive(address, protocol);
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
