/**
 * The tokenizer of the quickstart: a token is a byte of UTF-8. Vocabulary 256; byte 0 ends a document, so a byte 0 inside
 * one is dropped. Nothing to download, nothing out of vocabulary, and losses compare between any two corpora. Templates can
 * have special tokens of it, which are bytes that no text has.
 */
import { TextDecoder } from 'node:util';
import { SpanList } from './span_list.ts';
import { SpecialBytes } from './special_bytes.ts';
import { eachSpecial, type SpecialTokens } from './special_tokens.ts';
import type { DecodeOptions, TokenDecoder, Tokenizer, TokenSpans } from './tokenizer.ts';

const SEPARATOR = 0;
const VOCABULARY = 256;

/** The tokenizer named `bytes`. */
export class BytesTokenizer implements Tokenizer {
  readonly name = 'bytes';
  readonly source: string;
  readonly identity: string;
  readonly vocabSize = VOCABULARY;
  readonly separatorId = SEPARATOR;
  readonly putsAround = false;
  /** A name of a special token may not be cut in two. */
  readonly cuts: 'bytes' | 'lines' | 'whole';
  readonly specialTokens: SpecialTokens = eachSpecial(() => null);
  readonly chatTemplate = null;
  readonly toolTemplate = null;
  readonly #special: SpecialBytes;

  /** With a special token for each name. Throws `BadTokenizer` for a 14th. */
  constructor(names: readonly string[] = []) {
    this.#special = new SpecialBytes(names);
    const suffix = names.length === 0 ? '' : `+${JSON.stringify(this.#special.names)}`;
    this.source = `bytes${suffix}`;
    this.identity = `bytes/1${suffix}`;
    this.cuts = names.length === 0 ? 'bytes' : names.some((name) => /\s/u.test(name)) ? 'whole' : 'lines';
  }

  /** The same with more special tokens: those that it has keep their ids. Throws `BadTokenizer` for a 14th. */
  withSpecials(names: readonly string[]): BytesTokenizer {
    return new BytesTokenizer([...this.#special.names, ...names]);
  }

  byteCounts(): Uint32Array {
    return Uint32Array.from({ length: VOCABULARY }, (_, byte) =>
      byte === SEPARATOR || this.#special.nameOf(byte) !== null ? 0 : 1,
    );
  }

  encode(text: string): Uint8Array {
    return this.encodeUtf8(Buffer.from(text, 'utf8'));
  }

  encodeUtf8(bytes: Buffer): Uint8Array {
    if (this.#special.names.length === 0) return withoutSeparators(bytes);
    const parts = this.#special.partsOf(bytes.toString('utf8'));
    return Buffer.concat(
      parts.map(({ text, special }) =>
        special === null ? withoutSeparators(Buffer.from(text, 'utf8')) : Uint8Array.of(special),
      ),
    );
  }

  encodeSpans(text: string): TokenSpans {
    const utf8 = Buffer.from(text, 'utf8');
    if (utf8.length === text.length && !this.#special.isIn(text) && !utf8.includes(SEPARATOR)) return asciiSpans(utf8);
    // A name may be longer than its byte, never shorter.
    const spans = new SpanList(utf8.length);
    for (const { text: part, special } of this.#special.partsOf(text)) {
      if (special === null) spans.addText(part);
      else spans.add(special, part.length);
    }
    return spans.all;
  }

  tokenId(content: string): number | null {
    return this.#special.byteOf(content);
  }

  hasId(id: number): boolean {
    return Number.isInteger(id) && id >= 0 && id < VOCABULARY;
  }

  decode(ids: Iterable<number>, { skipSpecial = false }: DecodeOptions = {}): string {
    const decoder = this.#stream(skipSpecial);
    let text = '';
    for (const id of ids) text += decoder.push(id);
    return text + decoder.end();
  }

  /** A text has all bytes of its characters, so that what follows depends on none of it. */
  decoder(): TokenDecoder {
    return this.#stream(false);
  }

  #stream(skipSpecial: boolean): TokenDecoder {
    let stream = utf8();
    const end = (): string => {
      const rest = stream.decode();
      stream = utf8();
      return rest;
    };
    return {
      push: (id) => {
        const name = this.#special.nameOf(id);
        if (name !== null) return end() + (skipSpecial ? '' : name);
        return skipSpecial && id === SEPARATOR ? end() : stream.decode(Uint8Array.of(id), { stream: true });
      },
      end,
    };
  }
}

/** A byte is a UTF-16 unit. */
function asciiSpans(ids: Uint8Array): TokenSpans {
  const [begins, ends] = [new Uint32Array(ids.length), new Uint32Array(ids.length)];
  for (let at = 0; at < ids.length; at++) {
    begins[at] = at;
    ends[at] = at + 1;
  }
  return { ids, begins, ends };
}

const withoutSeparators = (bytes: Buffer): Uint8Array =>
  bytes.includes(SEPARATOR) ? bytes.filter((byte) => byte !== SEPARATOR) : bytes;

/** A byte order mark is text like any other: it must survive a round trip. */
function utf8(): TextDecoder {
  return new TextDecoder('utf-8', { ignoreBOM: true });
}
