/**
 * Looks through packed bytes that another process sent, before msgpackr reads them: what is let through are the types that
 * messages are made of, records of the known structures, names as keys, nesting up to a limit, and lengths that fit into
 * the bytes that are left. So nothing in them makes msgpackr allocate, recurse, define records or call an extension.
 */

import { MalformedFrame } from '../system/errors.ts';
import type { Structure } from './structures.ts';
import { MAX_DEPTH } from './wire.ts';

/** Bytes behind the type byte of each type with a value of fixed length; 255 where there is none, or it is not used. */
const FIXED = new Uint8Array(256).fill(255);
FIXED.fill(0, 0x00, 0x40);
FIXED.fill(0, 0xe0);
for (const type of [0xc0, 0xc2, 0xc3]) FIXED[type] = 0;
for (const type of [0xcc, 0xd0]) FIXED[type] = 1;
for (const type of [0xcd, 0xd1]) FIXED[type] = 2;
for (const type of [0xca, 0xce, 0xd2]) FIXED[type] = 4;
FIXED[0xcb] = 8;

export class PackedCheck {
  readonly #structures: readonly Structure[];
  #bytes: Uint8Array = new Uint8Array();
  #at = 0;
  #end = 0;

  constructor(structures: readonly Structure[]) {
    this.#structures = structures;
  }

  /** Throws `MalformedFrame` unless `bytes[start, end)` is one value, and nothing behind it. */
  check(bytes: Uint8Array, start: number, end: number): void {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
    this.#value(0);
    if (this.#at !== end) throw new MalformedFrame(`${end - this.#at} bytes left over after a value`);
  }

  #value(depth: number): void {
    const type = this.#bytes[this.#take(1)];
    const fixed = FIXED[type];
    if (fixed !== 255) this.#take(fixed);
    else if (type < 0x80) this.#record(type - 0x40, depth);
    else if (type < 0x90) this.#map(type & 0x0f, depth);
    else if (type < 0xa0) this.#values(type & 0x0f, depth);
    else if (type < 0xc0) this.#take(type & 0x1f);
    else this.#long(type, depth);
  }

  #long(type: number, depth: number): void {
    switch (type) {
      case 0xd4:
        return this.#undefined();
      case 0xd9:
      case 0xda:
      case 0xdb:
        this.#take(this.#length(type - 0xd9));
        return;
      case 0xdc:
      case 0xdd:
        return this.#values(this.#length(type - 0xdb), depth);
      case 0xde:
      case 0xdf:
        return this.#map(this.#length(type - 0xdd), depth);
      default:
        throw new MalformedFrame(`type byte 0x${type.toString(16)} is not used here`);
    }
  }

  #record(index: number, depth: number): void {
    if (index >= this.#structures.length)
      throw new MalformedFrame(`a record of structure ${index}, which is not known`);
    this.#values(this.#structures[index].length, depth);
  }

  #map(count: number, depth: number): void {
    this.#enter(2 * count, depth);
    for (let i = 0; i < count; i++) {
      this.#key();
      this.#value(depth + 1);
    }
  }

  #values(count: number, depth: number): void {
    this.#enter(count, depth);
    for (let i = 0; i < count; i++) this.#value(depth + 1);
  }

  /** A value takes at least one byte: a longer claim is a lie, found before memory is asked for. */
  #enter(leastBytes: number, depth: number): void {
    if (depth >= MAX_DEPTH) throw new MalformedFrame(`nested deeper than ${MAX_DEPTH}`);
    if (leastBytes > this.#end - this.#at) throw new MalformedFrame('a list or map is longer than its bytes');
  }

  #key(): void {
    const type = this.#bytes[this.#take(1)];
    if (type >= 0xa0 && type < 0xc0) this.#take(type & 0x1f);
    else if (type >= 0xd9 && type <= 0xdb) this.#take(this.#length(type - 0xd9));
    else throw new MalformedFrame('a map key is no name');
  }

  /** The one extension: type 0, and a byte that says nothing. */
  #undefined(): void {
    const at = this.#take(2);
    if (this.#bytes[at] !== 0) throw new MalformedFrame(`extension ${this.#bytes[at]} is not used here`);
  }

  /** A length of 1, 2 or 4 bytes, for a `size` of 0, 1, 2. */
  #length(size: number): number {
    const bytes = 1 << size;
    const at = this.#take(bytes);
    let length = 0;
    for (let i = 0; i < bytes; i++) length = length * 256 + this.#bytes[at + i];
    return length;
  }

  /** Steps over `count` bytes and returns where they start. */
  #take(count: number): number {
    const start = this.#at;
    if (count > this.#end - start) throw new MalformedFrame(`${count} bytes wanted, ${this.#end - start} left`);
    this.#at = start + count;
    return start;
  }
}
