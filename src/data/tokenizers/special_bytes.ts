/**
 * Special bytes give names to bytes that no UTF-8 text has, so that the vocabulary of `bytes` holds the tokens of a
 * template and stays as large as it is. The first name has 0xC0, and so on in the order of their first use.
 */
import { BadTokenizer } from '../errors.ts';

/** 0xC0 and 0xC1 would begin a character of one byte, 0xF5 and above one past the last code point. */
const FREE_BYTES = [0xc0, 0xc1, ...Array.from({ length: 11 }, (_, i) => 0xf5 + i)];

/** A part of a text: a special token, or what lies between two. */
export interface TextPart {
  readonly text: string;
  /** The byte of the special token that it is. */
  readonly special: number | null;
}

export class SpecialBytes {
  readonly names: readonly string[];
  readonly #byteOf: ReadonlyMap<string, number>;
  readonly #nameOf: ReadonlyMap<number, string>;
  readonly #pattern: RegExp | null;

  /** Throws `BadTokenizer` for more names than there are bytes, and for an empty one. */
  constructor(names: readonly string[]) {
    this.names = [...new Set(names)];
    if (this.names.includes('')) {
      throw new BadTokenizer('bytes', 'a special token has an empty name', 'give it the text that it stands for');
    }
    if (this.names.length > FREE_BYTES.length) {
      const reason = `it has room for ${FREE_BYTES.length} special tokens, and ${JSON.stringify(this.names[FREE_BYTES.length])} is one more`;
      throw new BadTokenizer('bytes', reason, "use a template with fewer, or 'hf:<path to tokenizer.json>'");
    }
    this.#byteOf = new Map(this.names.map((name, at) => [name, FREE_BYTES[at]]));
    this.#nameOf = new Map(this.names.map((name, at) => [FREE_BYTES[at], name]));
    // Of two names that begin at one place the longer one is meant.
    const longestFirst = this.names.toSorted((a, b) => b.length - a.length).map(asPattern);
    this.#pattern = longestFirst.length === 0 ? null : new RegExp(`(${longestFirst.join('|')})`, 'u');
  }

  /** The byte of a name; null where it is none. */
  byteOf(name: string): number | null {
    return this.#byteOf.get(name) ?? null;
  }

  /** The name of a byte; null where it is one of text. */
  nameOf(byte: number): string | null {
    return this.#nameOf.get(byte) ?? null;
  }

  /** Whether one of the names is written in a text. */
  isIn(text: string): boolean {
    return this.#pattern !== null && this.#pattern.test(text);
  }

  /** A text cut at the names that are written in it. */
  partsOf(text: string): TextPart[] {
    const parts = this.#pattern === null ? [text] : text.split(this.#pattern);
    return parts.filter((part) => part !== '').map((part) => ({ text: part, special: this.byteOf(part) }));
  }
}

const asPattern = (name: string): string => name.replaceAll(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
