/**
 * The port between text and token ids. A tokenizer has no state between calls; what a stream of ids needs to remember (a
 * character cut in two, say) lives in the decoder it hands out. `identity` goes into a corpus digest, so it must change
 * whenever the ids of any text would.
 */

import type { SpecialTokens } from './special_tokens.ts';

/** Token ids, in the narrowest of the three widths that holds the vocabulary. */
export type TokenIds = Uint8Array | Uint16Array | Uint32Array;

/** How ids are stored in a packed corpus, little-endian. */
export type TokenDtype = 'u8' | 'u16' | 'u32';

export interface Tokenizer {
  /** As in the topology file: `bytes` or `hf:<path>`. */
  readonly name: string;
  /** What `loadTokenizer` opens it by in any thread of this machine, whatever the folder. */
  readonly source: string;
  /** Changes whenever the ids of any text would change. */
  readonly identity: string;
  /** One above the highest id. */
  readonly vocabSize: number;
  /** The tokens that templates call by name. */
  readonly specialTokens: SpecialTokens;
  /** The Jinja template that makes a text of a conversation; null where its files have none. */
  readonly chatTemplate: string | null;
  /** The one for conversations with tools, where that is another. */
  readonly toolTemplate: string | null;
  /** The id that ends each document, and at which generation may stop. */
  readonly separatorId: number;
  /**
   * Where a text may be cut so that the ids of its parts, one after the other, are its own: between any two bytes of UTF-8;
   * after a line break that has a visible character before it and a letter or digit after it; or nowhere.
   */
  readonly cuts: 'bytes' | 'lines' | 'whole';
  /**
   * Bytes of UTF-8 that each id stands for, [vocabSize]; 0 for the separator and special tokens. Those of the ids of a text add
   * up to the text's bytes wherever decoding gives it back.
   */
  byteCounts(): Uint32Array;
  /** Whether its file puts tokens around a text that is encoded with `special`; else its ids are those without. */
  readonly putsAround: boolean;
  /** Ids of one document's text, without the separator. Throws `TextNotEncoded`. */
  encode(text: string, options?: EncodeOptions): TokenIds | Promise<TokenIds>;
  /** The same of UTF-8, cut as `cuts` says. */
  encodeUtf8(bytes: Buffer): TokenIds | Promise<TokenIds>;
  /** The ids that `encode` gives, and which part of the text each of them stands for. */
  encodeSpans(text: string): TokenSpans | Promise<TokenSpans>;
  /** Id of the token with this text; null where it has none. Of `bytes` only named tokens have one. */
  tokenId(content: string): number | null;
  /** Whether there is such a token: ids may have gaps, and a model may have rows past the last one. */
  hasId(id: number): boolean;
  /** Text of a whole sequence of ids; what is not valid text becomes U+FFFD. */
  decode(ids: Iterable<number>, options?: DecodeOptions): string;
  /** Decodes ids as they arrive, one stream a decoder; what it gives continues the text of the ids `before`. */
  decoder(before?: Iterable<number>): TokenDecoder;
}

export interface EncodeOptions {
  /** Adds the tokens that the tokenizer's file puts around a text, such as one for its beginning. */
  readonly special?: boolean;
}

export interface DecodeOptions {
  /** Leaves out the special tokens, such as separators. */
  readonly skipSpecial?: boolean;
}

/** Ids of a text; the i-th is of its UTF-16 units from `begins[i]` up to and without `ends[i]`. */
export interface TokenSpans {
  readonly ids: TokenIds;
  readonly begins: Uint32Array;
  readonly ends: Uint32Array;
}

/** Turns a stream of ids into text without cutting characters in two. */
export interface TokenDecoder {
  /** The text that became certain with this id; often empty. */
  push(id: number): string;
  /** The rest, incomplete characters as U+FFFD; the decoder starts afresh. */
  end(): string;
}

/** The narrowest storage for a vocabulary: up to 256 ids `u8`, up to 65,536 `u16`, else `u32`. */
export function tokenDtype(vocabSize: number): TokenDtype {
  if (vocabSize <= 2 ** 8) return 'u8';
  return vocabSize <= 2 ** 16 ? 'u16' : 'u32';
}

/** Bytes of one stored id. */
export function tokenBytes(dtype: TokenDtype): 1 | 2 | 4 {
  return dtype === 'u8' ? 1 : dtype === 'u16' ? 2 : 4;
}

/** Ids as an array of the given storage type; copies only when the type differs. */
export function tokensAs(dtype: TokenDtype, ids: ArrayLike<number>): TokenIds {
  // Unlike `from`, which asks every id of an iterator.
  if (dtype === 'u8') return ids instanceof Uint8Array ? ids : new Uint8Array(ids);
  if (dtype === 'u16') return ids instanceof Uint16Array ? ids : new Uint16Array(ids);
  return ids instanceof Uint32Array ? ids : new Uint32Array(ids);
}
