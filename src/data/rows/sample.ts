/**
 * A sample: the tokens of one row and which of them are to be learnt. Of a conversation those are the assistant's turns
 * with the tokens that end them, of a prompt with its completion the completion, of a text all.
 */
import type { Span } from './jinja/scope.ts';
import { BadRow, type RowPlace } from './row_error.ts';
import { inSpans, type RowTokenizer } from './row_tokenizer.ts';

export interface Sample {
  readonly tokens: Int32Array;
  /** 1 where the token is a target. The first token has none before it to predict it from, whatever is said of it. */
  readonly trained: Uint8Array;
}

/** Which tokens are learnt: the assistant's turns, all that follows a row's prompt, or everything. */
export type TrainOn = 'assistant' | 'completion' | 'all';

export interface SampleOptions {
  /** Tokens beyond it are cut off. */
  readonly sequenceLength: number;
  readonly trainOn: TrainOn;
  /** The end of a sample that is kept when it is too long. */
  readonly keep: 'start' | 'end';
}

/** Whether a loss over the sample has a term. */
export const isTrained = ({ trained }: Sample): boolean => trained.indexOf(1, 1) > 0;

/** A conversation's text has its special tokens written in it. */
export async function templatedSample(tokenizer: RowTokenizer, text: string, spans: readonly Span[]): Promise<Sample> {
  const encoded = await tokenizer.encodeSpans(text);
  return { tokens: new Int32Array(encoded.ids), trained: inSpans(encoded, spans) };
}

/**
 * Plain text gets the tokens that the tokenizer's file puts around a text, and its end the end-of-text token, unless that is
 * written there already. Of a text with a prompt nothing before the prompt's end is learnt; of one without (null) all is.
 */
export async function plainSample(
  tokenizer: RowTokenizer,
  text: string,
  promptLength: number | null,
  place: RowPlace,
): Promise<Sample> {
  const end = tokenizer.specialTokens.eos?.content ?? null;
  const whole = end === null || text.endsWith(end) ? text : text + end;
  const encoded = await tokenizer.encodeSpans(whole);
  const around = tokenizer.putsAround ? await tokenizer.encode(whole, { special: true }) : encoded.ids;
  const offset = placeOf(encoded.ids, around);
  if (offset < 0) {
    const found = `tokenizer '${tokenizer.name}' gives its text other ids with special tokens than without`;
    throw new BadRow(place, null, found, 'use a tokenizer whose post-processor only puts tokens around a text');
  }
  const tokens = new Int32Array(around.length + (end === null ? 1 : 0));
  tokens.set(around);
  if (end === null) tokens[around.length] = tokenizer.separatorId;
  const trained = new Uint8Array(tokens.length);
  trained.set(inSpans(encoded, [{ begin: promptLength ?? 0, end: whole.length }]), offset);
  trained.fill(1, offset + encoded.ids.length);
  if (promptLength === null) trained.fill(1, 0, offset);
  return { tokens, trained };
}

/** How many tokens a loss over the sample has a term for: the first token has none before it to predict it from. */
export function targetsOf({ trained }: Pick<Sample, 'trained'>): number {
  let targets = 0;
  for (let at = 1; at < trained.length; at += 1) targets += trained[at];
  return targets;
}

/** Where the ids of a text stand among those with tokens around it, or −1. */
function placeOf(ids: ArrayLike<number>, around: ArrayLike<number>): number {
  if (ids === around) return 0;
  for (let offset = 0; offset + ids.length <= around.length; offset += 1) {
    let count = 0;
    while (count < ids.length && ids[count] === around[offset + count]) count += 1;
    if (count === ids.length) return offset;
  }
  return -1;
}

/** No longer than the options say. */
export function cut(sample: Sample, { sequenceLength, keep }: SampleOptions): Sample {
  const { tokens, trained } = sample;
  if (tokens.length <= sequenceLength) return sample;
  const begin = keep === 'start' ? 0 : tokens.length - sequenceLength;
  return { tokens: tokens.slice(begin, begin + sequenceLength), trained: trained.slice(begin, begin + sequenceLength) };
}

/** The same tokens, all of them learnt. */
export const trainedOnAll = ({ tokens }: Sample): Sample => ({
  tokens,
  trained: new Uint8Array(tokens.length).fill(1),
});
