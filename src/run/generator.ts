/** A generator makes text with a model that is in actors: the tokens that it chooses, decoded as they come. */
import type { TokenDecoder, Tokenizer } from '../data/index.ts';
import type { Topology } from '../topology/index.ts';
import type { Cluster } from './cluster.ts';
import { continuedTokens, type TokenChoices } from './continued_tokens.ts';
import { NextLogits } from './next_logits.ts';

export interface GenerationOptions extends Omit<TokenChoices, 'stopIds'> {
  /** A text, or its ids. */
  readonly prompt: string | readonly number[];
  /** Ids that end the text, and are no part of it; default: the separator of documents. */
  readonly stopIds?: readonly number[];
}

export class Generator {
  private readonly tokenizer: Tokenizer;
  private readonly nextLogits: NextLogits;

  constructor(
    cluster: Pick<Cluster, 'system' | 'settled'>,
    tokenizer: Tokenizer,
    topology: Pick<Topology, 'training' | 'parallelism'>,
  ) {
    this.tokenizer = tokenizer;
    this.nextLogits = new NextLogits(cluster, topology);
  }

  /** Yields text as it becomes certain; ends at one of the `stopIds` or after `maxTokens`. */
  generate(options: GenerationOptions): AsyncGenerator<string> {
    return continuation(this.tokenizer, options, (ids) => this.nextLogits.after(ids));
  }
}

/** The text that continues a prompt, by the logits `[vocabulary]` that `nextLogits` gives for the i-th token after ids. */
export async function* continuation(
  tokenizer: Tokenizer,
  { prompt, stopIds = [tokenizer.separatorId], ...options }: GenerationOptions,
  nextLogits: (ids: readonly number[], i: number) => Promise<Float32Array>,
): AsyncGenerator<string> {
  const ids = Array.from(typeof prompt === 'string' ? await tokenizer.encode(prompt) : prompt);
  // It has seen the prompt: some tokenizers put the space between two words into the second one.
  const decoder: TokenDecoder = tokenizer.decoder(ids);
  // A model begins documents after a separator; an empty prompt is the beginning of a document.
  if (ids.length === 0) ids.push(tokenizer.separatorId);
  const known = tokensOnly(tokenizer);
  const next = async (before: readonly number[], i: number) => known(await nextLogits(before, i));
  for await (const { token } of continuedTokens(ids, { ...options, stopIds }, next)) {
    const text = decoder.push(token);
    if (text !== '') yield text;
  }
  const rest = decoder.end();
  if (rest !== '') yield rest;
}

/** Gives the logits of the tokenizer's tokens alone: a model may have rows past the last one, and ids may have gaps. */
export function tokensOnly(tokenizer: Pick<Tokenizer, 'vocabSize' | 'hasId'>): (logits: Float32Array) => Float32Array {
  const gaps = Array.from({ length: tokenizer.vocabSize }, (_, id) => id).filter((id) => !tokenizer.hasId(id));
  return (logits) => {
    const own = logits.slice(0, tokenizer.vocabSize);
    for (const id of gaps) own[id] = -Infinity;
    return own;
  };
}
