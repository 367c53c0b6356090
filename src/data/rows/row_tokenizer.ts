/** What rows need of a tokenizer: ids with their places in the text, special tokens by name, and its chat template. */
import type { Span } from './jinja/scope.ts';

interface SpecialToken {
  readonly content: string;
  readonly id: number;
}

export interface RowTokenizer {
  readonly name: string;
  readonly separatorId: number;
  readonly specialTokens: Readonly<Record<string, SpecialToken | null>>;
  readonly chatTemplate: string | null;
  readonly toolTemplate: string | null;
  encode(text: string, options?: { readonly special?: boolean }): Ids | Promise<Ids>;
  encodeSpans(text: string): TokenSpans | Promise<TokenSpans>;
  tokenId(content: string): number | null;
}

type Ids = Uint8Array | Uint16Array | Uint32Array;

/** Ids of a text; the i-th is of its UTF-16 units from `begins[i]` up to and without `ends[i]`. */
export interface TokenSpans {
  readonly ids: ArrayLike<number>;
  readonly begins: ArrayLike<number>;
  readonly ends: ArrayLike<number>;
}

/** 1 for each token with a character in one of the spans. */
export function inSpans({ ids, begins, ends }: TokenSpans, spans: readonly Span[]): Uint8Array {
  const inside = new Uint8Array(ids.length);
  for (const { begin, end } of spans) {
    for (let at = 0; at < ids.length; at += 1) if (begins[at] < end && ends[at] > begin) inside[at] = 1;
  }
  return inside;
}
