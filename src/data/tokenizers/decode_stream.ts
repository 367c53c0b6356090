/**
 * A decode stream gives the text of ids as they arrive. It decodes a window only: the ids whose text it gave last, which
 * some tokenizers need to see before the next ones (for a space between words), and those whose text is not yet certain.
 */
import type { TokenDecoder } from './tokenizer.ts';

/**
 * Most ids that wait for the rest of a character, which has four bytes at most. Where more of them are broken no rest will
 * mend them.
 */
const MOST_WAITING = 16;

/** Ids of the text before that the first window begins with, unless they begin within a character. */
const FIRST_WINDOW = 8;

/** What stands for bytes that are no character, or not yet one. */
const REPLACEMENT = '\ufffd';

export class DecodeStream implements TokenDecoder {
  readonly #decode: (ids: readonly number[]) => string;
  #window: number[];
  /** How many ids of the window have given their text, and that text. */
  #given: number;
  #shown: string;

  /** `decode` gives the text of a whole sequence; the stream's text continues that of the ids `before`. */
  constructor(decode: (ids: readonly number[]) => string, before: readonly number[] = []) {
    this.#decode = decode;
    this.#window = endOf(before, decode);
    this.#given = this.#window.length;
    this.#shown = decode(this.#window);
  }

  push(id: number): string {
    this.#window.push(id);
    const fresh = this.#fresh();
    const waiting = this.#window.length - this.#given;
    if (waiting < MOST_WAITING && (fresh === '' || fresh.endsWith(REPLACEMENT))) return '';
    // Ids without any text are forgotten, and not what they follow.
    this.#window = fresh === '' ? this.#window.slice(0, this.#given) : this.#window.slice(this.#given);
    this.#given = this.#window.length;
    this.#shown = this.#decode(this.#window);
    return fresh;
  }

  end(): string {
    const fresh = this.#fresh();
    this.#window = [];
    this.#given = 0;
    this.#shown = '';
    return fresh;
  }

  /** The window's text after what is shown of it. */
  #fresh(): string {
    if (this.#window.length === this.#given) return '';
    const text = this.#decode(this.#window);
    // A broken byte can change how those before it are decoded, but they are given.
    return text.startsWith(this.#shown)
      ? text.slice(this.#shown.length)
      : this.#decode(this.#window.slice(this.#given));
  }
}

/** The last of some ids, as few as have whole characters. */
function endOf(ids: readonly number[], decode: (ids: readonly number[]) => string): number[] {
  for (let count = FIRST_WINDOW; count < ids.length; count *= 2) {
    const end = ids.slice(-count);
    const text = decode(end);
    if (text !== '' && !text.includes(REPLACEMENT)) return end;
  }
  return [...ids];
}
