/**
 * The flight record of a worker is in shared memory, so that the main thread can read it when the worker hangs or is
 * gone. It is a ring of columns; addresses and message names are written once, to a list of texts, and noted by number.
 */

import { FLIGHT_LENGTH, FlightRecord, type FlightEntry } from '../system/flight_record.ts';
import type { Address } from '../system/address.ts';

const TEXT_BYTES = 2 ** 16;
const ENTRY_BYTES = 24;
const RING_AT = 8;
const TEXTS_AT = RING_AT + ENTRY_BYTES * FLIGHT_LENGTH;

export const createFlightMemory = (): SharedArrayBuffer => new SharedArrayBuffer(TEXTS_AT + TEXT_BYTES);

export class SharedFlightRecord extends FlightRecord {
  /** Messages noted, and texts listed. */
  readonly #counts: Int32Array;
  readonly #ids: Float64Array;
  readonly #times: Float64Array;
  /** Address and message of each entry, as numbers of texts. */
  readonly #names: Int32Array;
  /** Each text is preceded by its length in bytes, as u16. */
  readonly #texts: DataView;
  readonly #numbers = new Map<string, number>();
  #textEnd = 0;

  constructor(memory: SharedArrayBuffer) {
    super();
    this.#counts = new Int32Array(memory, 0, 2);
    this.#ids = new Float64Array(memory, RING_AT, FLIGHT_LENGTH);
    this.#times = new Float64Array(memory, RING_AT + 8 * FLIGHT_LENGTH, FLIGHT_LENGTH);
    this.#names = new Int32Array(memory, RING_AT + 16 * FLIGHT_LENGTH, 2 * FLIGHT_LENGTH);
    this.#texts = new DataView(memory, TEXTS_AT, TEXT_BYTES);
  }

  override note(address: Address, message: string, id: number, ms: number): void {
    const slot = this.#counts[0] % FLIGHT_LENGTH;
    this.#names[2 * slot] = this.#numberOf(address);
    this.#names[2 * slot + 1] = this.#numberOf(message);
    this.#ids[slot] = id;
    this.#times[slot] = ms;
    this.#counts[0] = (this.#counts[0] + 1) & 0x7fff_ffff;
  }

  /** Reads what this or another thread has noted. */
  override entries(): FlightEntry[] {
    const texts = this.#readTexts();
    const [count] = this.#counts;
    const length = Math.min(count, FLIGHT_LENGTH);
    return Array.from({ length }, (_, i) => {
      const slot = (count - length + i) % FLIGHT_LENGTH;
      const [address, message] = [this.#names[2 * slot], this.#names[2 * slot + 1]].map((n) => texts.at(n) ?? UNKNOWN);
      return { address, message, id: this.#ids[slot], ms: this.#times[slot] };
    });
  }

  #numberOf(text: string): number {
    const known = this.#numbers.get(text);
    if (known !== undefined) return known;
    const bytes = encoder.encode(text);
    // When the list is full, what is new stays unnamed; what is old keeps its name.
    if (this.#textEnd + 2 + bytes.length > TEXT_BYTES) return NO_TEXT;
    this.#texts.setUint16(this.#textEnd, bytes.length);
    bytes.forEach((byte, i) => this.#texts.setUint8(this.#textEnd + 2 + i, byte));
    this.#textEnd += 2 + bytes.length;
    const number = this.#counts[1]++;
    this.#numbers.set(text, number);
    return number;
  }

  #readTexts(): string[] {
    const texts: string[] = [];
    let at = 0;
    for (let i = 0; i < this.#counts[1]; i++) {
      const length = this.#texts.getUint16(at);
      const start = this.#texts.byteOffset + at + 2;
      texts.push(Buffer.from(this.#texts.buffer, start, length).toString('utf8'));
      at += 2 + length;
    }
    return texts;
  }
}

const encoder = new TextEncoder();
const UNKNOWN = '(unnamed)';
/** A number that no text has. */
const NO_TEXT = 2 ** 31 - 1;
