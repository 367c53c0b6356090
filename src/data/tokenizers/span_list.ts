/**
 * Span lists grow as a text is read from its beginning: the bytes that are its ids, and which UTF-16 units each stands for. All
 * bytes of a character stand for all of it. The room is taken once.
 */
import type { TokenSpans } from './tokenizer.ts';

const SEPARATOR = 0;

export class SpanList {
  readonly #ids: Uint8Array;
  readonly #begins: Uint32Array;
  readonly #ends: Uint32Array;
  #count = 0;
  /** UTF-16 units read. */
  #units = 0;

  constructor(mostIds: number) {
    this.#ids = new Uint8Array(mostIds);
    this.#begins = new Uint32Array(mostIds);
    this.#ends = new Uint32Array(mostIds);
  }

  get all(): TokenSpans {
    const [ids, begins, ends] = [this.#ids, this.#begins, this.#ends];
    return {
      ids: ids.subarray(0, this.#count),
      begins: begins.subarray(0, this.#count),
      ends: ends.subarray(0, this.#count),
    };
  }

  /** One id for the next `units` of the text. */
  add(id: number, units: number): void {
    this.#put(id, this.#units + units);
    this.#units += units;
  }

  /** The bytes of the next part of the text, without those that are the separator. */
  addText(text: string): void {
    const utf8 = Buffer.from(text, 'utf8');
    for (let at = 0; at < utf8.length;) {
      const bytes = bytesOfCharacter(utf8[at]);
      const end = this.#units + (bytes === 4 ? 2 : 1);
      for (const next = at + bytes; at < next; at++) if (utf8[at] !== SEPARATOR) this.#put(utf8[at], end);
      this.#units = end;
    }
  }

  #put(id: number, end: number): void {
    this.#ids[this.#count] = id;
    this.#begins[this.#count] = this.#units;
    this.#ends[this.#count] = end;
    this.#count += 1;
  }
}

/** By the first of them. */
const bytesOfCharacter = (first: number): 1 | 2 | 3 | 4 => (first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4);
