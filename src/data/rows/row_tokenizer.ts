/** What rows need of a tokenizer: ids with their places in the text, special tokens by name, and its chat template. */
import { eachSpecial } from '../tokenizers/special_tokens.ts';
import type { Tokenizer, TokenSpans } from '../tokenizers/tokenizer.ts';
import type { Span } from './jinja/scope.ts';

export type RowTokenizer = Pick<
  Tokenizer,
  | 'name'
  | 'separatorId'
  | 'specialTokens'
  | 'chatTemplate'
  | 'toolTemplate'
  | 'putsAround'
  | 'encode'
  | 'encodeSpans'
  | 'tokenId'
>;

/** What encodes a text as a stream of texts has it: nothing is put around it but the separator behind it. */
export const streaming = (tokenizer: Tokenizer): RowTokenizer => ({
  ...{ name: tokenizer.name, separatorId: tokenizer.separatorId },
  ...{ specialTokens: eachSpecial(() => null), chatTemplate: null, toolTemplate: null, putsAround: false },
  encode: (text) => tokenizer.encode(text),
  encodeSpans: (text) => tokenizer.encodeSpans(text),
  tokenId: (content) => tokenizer.tokenId(content),
});

/** 1 for each token with a character in one of the spans. */
export function inSpans({ ids, begins, ends }: TokenSpans, spans: readonly Span[]): Uint8Array {
  const inside = new Uint8Array(ids.length);
  for (const { begin, end } of spans) {
    for (let at = 0; at < ids.length; at += 1) if (begins[at] < end && ends[at] > begin) inside[at] = 1;
  }
  return inside;
}
