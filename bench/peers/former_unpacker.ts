/**
 * The unpacker that msgpackr took the place of, kept to be measured beside it.
 *
 * Reads what the packer wrote, from bytes that may be anything: every length is checked against the bytes that are left
 * before something is allocated, nesting is capped, and whatever does not fit throws `MalformedFrame`. Typed arrays come
 * out as views over the frame, or as copies where nobody will say when the frame may go.
 */

import { MalformedFrame } from '../../src/runtime/system/errors.ts';
import { arrayView, elementBytes, Ext, MAX_DEPTH, TENSOR_ALIGN } from './former_wire.ts';

/** Makes the ref that was read. */
export type Revive = (address: string, protocol: string) => unknown;

export class Unpacker {
  #bytes: Uint8Array = new Uint8Array(0);
  #view: DataView = new DataView(new ArrayBuffer(0));
  #position = 0;
  #end = 0;
  /** Where the tensors are: start and byte length in the frame. */
  #arraysAt = 0;
  #arrayBytes = 0;
  #copyArrays = false;
  #revive: Revive = refuseRef;
  readonly #names = new NameCache();

  /** Points at a frame whose tensors are at `[arraysAt, arraysAt + arrayBytes)`. */
  open(bytes: Uint8Array, view: DataView, arraysAt: number, arrayBytes: number, copyArrays: boolean): void {
    this.#bytes = bytes;
    this.#view = view;
    this.#arraysAt = arraysAt;
    this.#arrayBytes = arrayBytes;
    this.#copyArrays = copyArrays;
  }

  /** Reads the one value in bytes `[start, end)`; `revive` makes the refs in it. */
  read(start: number, end: number, revive: Revive = refuseRef): unknown {
    this.#position = start;
    this.#end = end;
    this.#revive = revive;
    const value = this.#readValue(0);
    if (this.#position !== end) throw new MalformedFrame(`${end - this.#position} bytes left over after a value`);
    return value;
  }

  #readValue(depth: number): unknown {
    if (this.#position >= this.#end) throw new MalformedFrame('a value ends early');
    const code = this.#bytes[this.#position++];
    if (code < 0x80) return code;
    if (code < 0x90) return this.#readMap(code & 0x0f, depth);
    if (code < 0xa0) return this.#readList(code & 0x0f, depth);
    if (code < 0xc0) return this.#readText(code & 0x1f);
    if (code >= 0xe0) return code - 0x100;
    switch (code) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xc9:
        return this.#readExtension(this.#readUint32(), depth);
      case 0xca:
        return this.#view.getFloat32(this.#take(4));
      case 0xcb:
        return this.#view.getFloat64(this.#take(8));
      case 0xcc:
        return this.#bytes[this.#take(1)];
      case 0xcd:
        return this.#view.getUint16(this.#take(2));
      case 0xce:
        return this.#readUint32();
      case 0xd0:
        return this.#view.getInt8(this.#take(1));
      case 0xd1:
        return this.#view.getInt16(this.#take(2));
      case 0xd2:
        return this.#view.getInt32(this.#take(4));
      case 0xd4:
        return this.#readExtension(1, depth);
      case 0xd9:
        return this.#readText(this.#bytes[this.#take(1)]);
      case 0xda:
        return this.#readText(this.#view.getUint16(this.#take(2)));
      case 0xdb:
        return this.#readText(this.#readUint32());
      case 0xdc:
        return this.#readList(this.#view.getUint16(this.#take(2)), depth);
      case 0xdd:
        return this.#readList(this.#readUint32(), depth);
      case 0xde:
        return this.#readMap(this.#view.getUint16(this.#take(2)), depth);
      case 0xdf:
        return this.#readMap(this.#readUint32(), depth);
      default:
        throw new MalformedFrame(`type byte 0x${code.toString(16)} is not used here`);
    }
  }

  #readUint32(): number {
    return this.#view.getUint32(this.#take(4));
  }

  /** Steps over `count` bytes and returns where they start. */
  #take(count: number): number {
    const start = this.#position;
    if (count > this.#end - start) throw new MalformedFrame(`${count} bytes wanted, ${this.#end - start} left`);
    this.#position = start + count;
    return start;
  }

  #readText(length: number): string {
    const start = this.#take(length);
    if (length <= 24) return this.#names.read(this.#bytes, start, length);
    return decodeUtf8(this.#bytes, start, length);
  }

  #readList(length: number, depth: number): unknown[] {
    // An element takes at least one byte: a longer claim is a lie, found before memory is asked for.
    this.#checkNesting(length, depth);
    const items: unknown[] = [];
    for (let i = 0; i < length; i++) items.push(this.#readValue(depth + 1));
    return items;
  }

  #readMap(count: number, depth: number): Record<string, unknown> {
    this.#checkNesting(2 * count, depth);
    const fields: Record<string, unknown> = {};
    for (let i = 0; i < count; i++) {
      const key = this.#readValue(depth + 1);
      if (typeof key !== 'string' || key === '__proto__') throw new MalformedFrame('a map key is no name');
      fields[key] = this.#readValue(depth + 1);
    }
    return fields;
  }

  #checkNesting(atLeastBytes: number, depth: number): void {
    if (depth >= MAX_DEPTH) throw new MalformedFrame(`nested deeper than ${MAX_DEPTH}`);
    if (atLeastBytes > this.#end - this.#position) throw new MalformedFrame('a list or map is longer than its bytes');
  }

  #readExtension(length: number, depth: number): unknown {
    const type = this.#bytes[this.#take(1)];
    const start = this.#position;
    if (length > this.#end - start) throw new MalformedFrame('an extension is longer than its bytes');
    const value = this.#readExtended(type, length, depth);
    if (this.#position !== start + length) throw new MalformedFrame('an extension has another length than it says');
    return value;
  }

  #readExtended(type: number, length: number, depth: number): unknown {
    if (type === Ext.array && length === 9) return this.#readArray();
    if (type === Ext.undefined && length === 1) {
      this.#position += 1;
      return undefined;
    }
    if (type === Ext.ref) {
      this.#checkNesting(2, depth);
      const address = this.#readValue(depth + 1);
      const protocol = this.#readValue(depth + 1);
      if (typeof address === 'string' && typeof protocol === 'string') return this.#revive(address, protocol);
    }
    throw new MalformedFrame(`extension ${type} of ${length} bytes is not used here`);
  }

  #readArray(): unknown {
    const code = this.#bytes[this.#take(1)];
    const offset = this.#readUint32();
    const byteLength = this.#readUint32();
    const width = elementBytes(code);
    if (width === 0 || byteLength % width !== 0)
      throw new MalformedFrame(`no array of type ${code}, ${byteLength} bytes`);
    if (offset % TENSOR_ALIGN !== 0 || offset + byteLength > this.#arrayBytes) {
      throw new MalformedFrame(`an array at ${offset}, ${byteLength} bytes lies outside of ${this.#arrayBytes} bytes`);
    }
    const at = this.#bytes.byteOffset + this.#arraysAt + offset;
    const array = arrayView(code, this.#bytes.buffer, at, byteLength / width);
    return this.#copyArrays ? array.slice() : array;
  }
}

/** Remembers short texts by their bytes, since the same few keys and addresses come again and again. */
class NameCache {
  readonly #texts: string[] = new Array<string>(1024).fill('');

  read(bytes: Uint8Array, start: number, length: number): string {
    let hash = length;
    for (let i = start; i < start + length; i++) hash = (Math.imul(hash, 31) + bytes[i]) | 0;
    const slot = (hash ^ (hash >>> 10)) & 1023;
    const text = this.#texts[slot];
    if (text.length === length && isSame(text, bytes, start)) return text;
    const fresh = decodeUtf8(bytes, start, length);
    // Only ASCII has as many characters as bytes, which the comparison relies on.
    if (fresh.length === length) this.#texts[slot] = fresh;
    return fresh;
  }
}

function isSame(text: string, bytes: Uint8Array, start: number): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) !== bytes[start + i]) return false;
  return true;
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function decodeUtf8(bytes: Uint8Array, start: number, length: number): string {
  try {
    return decoder.decode(bytes.subarray(start, start + length));
  } catch {
    throw new MalformedFrame('a string is no UTF-8');
  }
}

function refuseRef(address: string): never {
  throw new MalformedFrame(`a ref to ${address} where none belongs`);
}
