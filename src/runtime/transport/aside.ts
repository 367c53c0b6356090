/**
 * Tensors set aside while the rest of a message is packed: listed in order, each to start at a multiple of 64 bytes behind
 * the header. Tensors and refs are replaced in a copy of no more than the objects that hold them.
 */

import { CannotEncode } from '../system/errors.ts';
import { RefIdentity } from '../system/ref.ts';
import { isTensor, type TensorData } from '../system/tensor.ts';
import type { Places } from './places.ts';
import { MAX_DEPTH, placeBytes } from './wire.ts';

export class Aside {
  /** The bytes of the tensors met since `clear`, in order, and what they take when each starts aligned. */
  readonly arrays: Uint8Array[] = [];
  arrayBytes = 0;

  clear(): void {
    if (this.arrayBytes === 0) return;
    this.arrays.length = 0;
    this.arrayBytes = 0;
  }

  /** `value` as it is packed. Throws `CannotEncode` for what cannot travel. */
  take(value: unknown, places: Places): unknown {
    if (typeof value !== 'object' || value === null) return places.opaque ? checkPlain(value, 0) : value;
    if (places.ref && value instanceof RefIdentity) return { address: value.address, protocol: value.protocol.name };
    if (places.tensor && 'dtype' in value) return this.#tensor(value);
    if (places.opaque) return checkPlain(value, 0);
    const { items, values, fields } = places;
    if (Array.isArray(value)) return items === null ? value : value.map((item) => this.take(item, items));
    if (values !== null) return mapped(value, (field) => this.take(field, values));
    if (fields.size === 0) return value;
    return mapped(value, (field, key) => {
      const inner = fields.get(key);
      return inner === undefined ? field : this.take(field, inner);
    });
  }

  #tensor(value: object): unknown {
    if (!isTensor(value))
      throw new CannotEncode('a tensor whose data is not what its dtype and shape say cannot travel');
    const { dtype, shape, data } = value;
    return { dtype, shape, data: this.#add(data) };
  }

  /** Where the array begins, from the first one. */
  #add({ buffer, byteOffset, byteLength }: TensorData): number {
    const at = this.arrayBytes;
    this.arrays.push(new Uint8Array(buffer, byteOffset, byteLength));
    this.arrayBytes += placeBytes(byteLength);
    return at;
  }
}

/** A copy of `object` with other values; keys in the same order. */
function mapped(object: object, change: (field: unknown, key: string) => unknown): Record<string, unknown> {
  const copy: Record<string, unknown> = { ...object };
  for (const key in copy) copy[key] = change(copy[key], key);
  return copy;
}

/** Returns `value` if it is plain; throws `CannotEncode`. */
function checkPlain(value: unknown, depth: number): unknown {
  if (depth > MAX_DEPTH) throw new CannotEncode(`nested deeper than ${MAX_DEPTH}`);
  switch (typeof value) {
    case 'bigint':
    case 'function':
    case 'symbol':
      throw new CannotEncode(`a ${typeof value} cannot travel`);
    case 'object':
      if (value !== null) checkFields(value, depth + 1);
      return value;
    default:
      return value;
  }
}

function checkFields(value: object, depth: number): void {
  if (!Array.isArray(value) && !isPlain(value)) {
    throw new CannotEncode(`an instance of ${value.constructor.name} cannot travel`);
  }
  for (const field of Object.values(value)) checkPlain(field, depth);
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
