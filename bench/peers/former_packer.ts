/**
 * The packer that msgpackr took the place of, kept to be measured beside it.
 *
 * Writes plain values as MessagePack into a buffer that grows and is used again. Plain maps only, no shared structures.
 * A typed array is not packed: an extension says its element type, place and length, and the array itself is listed in
 * `arrays`, to be copied raw behind the header. A ref is an extension of two strings.
 */

import { CannotEncode } from '../../src/runtime/system/errors.ts';
import { RefIdentity } from '../../src/runtime/system/ref.ts';
import { arrayCode, Ext, MAX_DEPTH, TENSOR_ALIGN, type RawArray } from './former_wire.ts';

export class Packer {
  bytes: Uint8Array<ArrayBuffer>;
  view: DataView<ArrayBuffer>;
  /** Where the next byte goes; set it to start anew. */
  position = 0;
  /** The typed arrays met since `clear`, in order, and the bytes they take when each starts 64-byte-aligned. */
  readonly arrays: RawArray[] = [];
  arrayBytes = 0;

  constructor(initialBytes = 64 * 1024) {
    this.bytes = new Uint8Array(initialBytes);
    this.view = new DataView(this.bytes.buffer);
  }

  clear(position: number): void {
    this.position = position;
    if (this.arrayBytes > 0) this.arrays.length = 0;
    this.arrayBytes = 0;
  }

  /** Puts packed bytes in as they are. */
  append(packed: Uint8Array): void {
    if (this.bytes.length - this.position < packed.length) this.#grow(packed.length);
    this.bytes.set(packed, this.position);
    this.position += packed.length;
  }

  /** Packs `value`; throws `CannotEncode` for what cannot travel. */
  write(value: unknown, depth = 0): void {
    if (this.bytes.length - this.position < 16) this.#grow(16);
    switch (typeof value) {
      case 'number':
        return this.#writeNumber(value);
      case 'string':
        return this.#writeString(value);
      case 'boolean':
        this.bytes[this.position++] = value ? 0xc3 : 0xc2;
        return;
      case 'undefined':
        this.bytes[this.position++] = 0xd4;
        this.bytes[this.position++] = Ext.undefined;
        this.bytes[this.position++] = 0;
        return;
      case 'object':
        if (value === null) this.bytes[this.position++] = 0xc0;
        else this.#writeObject(value, depth);
        return;
      default:
        throw new CannotEncode(`a ${typeof value} cannot travel`);
    }
  }

  #writeNumber(value: number): void {
    if (value >>> 0 === value && !Object.is(value, -0)) {
      if (value < 0x80) {
        this.bytes[this.position++] = value;
      } else {
        this.bytes[this.position++] = 0xce;
        this.view.setUint32(this.position, value);
        this.position += 4;
      }
    } else if ((value | 0) === value && value !== 0) {
      this.bytes[this.position++] = 0xd2;
      this.view.setInt32(this.position, value);
      this.position += 4;
    } else {
      this.bytes[this.position++] = 0xcb;
      this.view.setFloat64(this.position, value);
      this.position += 8;
    }
  }

  #writeString(text: string): void {
    const { length } = text;
    if (length >= 32) return this.#writeLongString(text);
    if (this.bytes.length - this.position < 40) this.#grow(40);
    const { bytes } = this;
    let at = this.position + 1;
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i);
      if (code >= 0x80) return this.#writeLongString(text);
      bytes[at++] = code;
    }
    bytes[this.position] = 0xa0 | length;
    this.position = at;
  }

  #writeLongString(text: string): void {
    // A UTF-16 unit takes at most three UTF-8 bytes.
    const most = 5 + 3 * text.length;
    if (this.bytes.length - this.position < most) this.#grow(most);
    if (!text.isWellFormed()) throw new CannotEncode('a string with a lone surrogate cannot travel');
    const { written } = encoder.encodeInto(text, this.bytes.subarray(this.position + 5));
    this.bytes[this.position] = 0xdb;
    this.view.setUint32(this.position + 1, written);
    this.position += 5 + written;
  }

  #writeObject(value: object, depth: number): void {
    if (depth >= MAX_DEPTH) throw new CannotEncode(`nested deeper than ${MAX_DEPTH}`);
    if (Array.isArray(value)) {
      const items: readonly unknown[] = value;
      this.#writeHead(0xdd, items.length);
      for (const item of items) this.write(item, depth + 1);
    } else if (ArrayBuffer.isView(value)) {
      this.#writeArray(value);
    } else if (value instanceof RefIdentity) {
      this.#writeRef(value);
    } else {
      this.#writeMap(value, depth);
    }
  }

  #writeMap(value: object, depth: number): void {
    if (!isPlain(value)) throw new CannotEncode(`an instance of ${value.constructor.name} cannot travel`);
    this.bytes[this.position] = 0xdf;
    const countAt = this.position + 1;
    this.position += 5;
    let count = 0;
    for (const key in value) {
      this.#writeString(key);
      this.write(value[key], depth + 1);
      count += 1;
    }
    this.view.setUint32(countAt, count);
  }

  #writeArray(value: ArrayBufferView): void {
    const code = arrayCode(value);
    if (code === 0) throw new CannotEncode(`a ${value.constructor.name} cannot travel`);
    const array = new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
    this.#writeHead(0xc9, 9);
    this.bytes[this.position] = Ext.array;
    this.bytes[this.position + 1] = code;
    this.view.setUint32(this.position + 2, this.arrayBytes);
    this.view.setUint32(this.position + 6, array.byteLength);
    this.position += 10;
    this.arrays.push(array);
    this.arrayBytes += Math.max(TENSOR_ALIGN, (array.byteLength + TENSOR_ALIGN - 1) & -TENSOR_ALIGN);
  }

  #writeRef(ref: RefIdentity): void {
    const lengthAt = this.position + 1;
    this.#writeHead(0xc9, 0);
    this.bytes[this.position++] = Ext.ref;
    const start = this.position;
    this.write(ref.address);
    this.write(ref.protocol.name);
    this.view.setUint32(lengthAt, this.position - start);
  }

  #writeHead(code: number, count: number): void {
    this.bytes[this.position] = code;
    this.view.setUint32(this.position + 1, count);
    this.position += 5;
  }

  #grow(wanted: number): void {
    const bytes = new Uint8Array(Math.max(2 * this.bytes.length, this.position + wanted));
    bytes.set(this.bytes);
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer);
  }
}

const encoder = new TextEncoder();

function isPlain(value: object): value is Readonly<Record<string, unknown>> {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
