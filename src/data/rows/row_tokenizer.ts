/** What rows need of a tokenizer: ids with their places in the text, special tokens by name, and its chat template. */
import type { Tokenizer, TokenSpans } from '../tokenizers/tokenizer.ts';
import type { Span } from './jinja/scope.ts';

export type RowTokenizer = Pick<
  Tokenizer,
  'name' | 'separatorId' | 'specialTokens' | 'chatTemplate' | 'toolTemplate' | 'encode' | 'encodeSpans' | 'tokenId'
>;

/** 1 for each token with a character in one of the spans. */
export function inSpans({ ids, begins, ends }: TokenSpans, spans: readonly Span[]): Uint8Array {
  const inside = new Uint8Array(ids.length);
  for (const { begin, end } of spans) {
    for (let at = 0; at < ids.length; at += 1) if (begins[at] < end && ends[at] > begin) inside[at] = 1;
  }
  return inside;
}
