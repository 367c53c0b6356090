/**
 * How the messages of one protocol are packed: by msgpackr, with the record structures of its table, which both ends read
 * from their own copy of it. The digest travels in the route: who has another table is told, and nothing is misread.
 */

import { crc32 } from 'node:zlib';
import { Packr, RESET_BUFFER_MODE, REUSE_BUFFER_MODE } from 'msgpackr/pack';
import { CannotEncode, describeError, MalformedFrame } from '../system/errors.ts';
import type { Kind } from '../system/envelope.ts';
import { protocolNamed, type AnyProtocol } from '../system/protocol.ts';
import { PackedCheck } from './packed_check.ts';
import { placesIn, type Places } from './places.ts';
import type { Scratch } from './scratch.ts';
import { structuresOf, SYSTEM_STRUCTURES, type Structure } from './structures.ts';

export class ProtocolFormat {
  /** The same for tables with the same messages, keys and optional keys, in the same order. */
  readonly digest: number;
  readonly #packr: Packr;
  readonly #check: PackedCheck;
  readonly #args = new Map<string, Places | null>();
  readonly #replies = new Map<string, Places | null>();
  readonly #range = { start: 0, end: 0 };

  constructor(structures: readonly Structure[], { name, messages }: AnyProtocol) {
    this.digest = crc32(JSON.stringify([name, Object.keys(messages), structures]));
    const firstKeys = new Set(structures.map(([first]) => first));
    this.#packr = new Packr({
      structures: structures.map((keys) => [...keys]),
      maxSharedStructures: structures.length,
      maxOwnStructures: 0,
      mapsAsObjects: true,
      variableMapSize: true,
      // Dictionaries are not looked up among the structures: msgpackr remembers the keys of all that are.
      useRecords: (value: object) => {
        for (const key in value) return firstKeys.has(key);
        return false;
      },
    });
    this.#check = new PackedCheck(structures);
    for (const [message, spec] of Object.entries(messages)) {
      if (spec.args !== null) this.#args.set(message, placesIn(spec.args));
      if (spec.kind === 'ask' && spec.reply !== null) this.#replies.set(message, placesIn(spec.reply));
    }
  }

  /** Where tensors and refs are in the args of a message; null if there are none. */
  placesOf(message: string, kind: Kind): Places | null {
    return (kind === 'reply' ? this.#replies : this.#args).get(message) ?? null;
  }

  /** Appends the bytes of `value` to `scratch`. */
  packInto(scratch: Scratch, value: unknown): void {
    // msgpackr's own buffer, of which it says on the buffer where it has written.
    const packed = this.#packr.pack(value, REUSE_BUFFER_MODE | RESET_BUFFER_MODE);
    const start: unknown = 'start' in packed ? packed.start : undefined;
    if (typeof start !== 'number') throw new CannotEncode('msgpackr does not say where it has packed');
    scratch.appendRange(packed, start, this.#packr.offset);
  }

  /** The value in `bytes[start, end)`. Throws `MalformedFrame`, of bytes that are not trusted before they are read. */
  unpack(bytes: Uint8Array, start: number, end: number, trusted: boolean): unknown {
    if (!trusted) this.#check.check(bytes, start, end);
    this.#range.start = start;
    this.#range.end = end;
    try {
      const value: unknown = this.#packr.unpack(bytes, this.#range);
      return value;
    } catch (error) {
      throw new MalformedFrame(describeError(error));
    }
  }
}

/** Of what the runtime itself sends, and of whatever has no table. */
export const SYSTEM_FORMAT = new ProtocolFormat(SYSTEM_STRUCTURES, { name: '', messages: {} });

const formats = new Map<string, ProtocolFormat>();

/** The format of the protocol of that name; null if no loaded module declares it. */
export function formatOf(name: string): ProtocolFormat | null {
  if (name === '') return SYSTEM_FORMAT;
  const known = formats.get(name);
  if (known !== undefined) return known;
  const protocol = protocolNamed(name);
  if (protocol === undefined) return null;
  const format = new ProtocolFormat(structuresOf(protocol), protocol);
  formats.set(name, format);
  return format;
}
