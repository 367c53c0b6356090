/**
 * A generator makes text with a model that is in actors: the stages of one replica take the tokens so far as a pass and
 * answer with the logits of the next. Sampling is a pure function of the seed and the position.
 */
import { hashU32, type TokenDecoder, type Tokenizer } from '../data/index.ts';

import { floats } from '../kernels/dtype.ts';
import type { Topology } from '../topology/index.ts';
import { stageAddress } from '../actors/placement/addresses.ts';
import { askedAgain } from './asked_again.ts';
import type { Cluster } from './cluster.ts';
import { dataOf, payload, type Pass } from '../actors/protocol/pass.ts';
import { stageProtocol } from '../actors/protocol/stage.ts';

export interface GenerationOptions {
  /** A text, or its ids. */
  readonly prompt: string | readonly number[];
  /** Ids that end the text, and are no part of it; default: the separator of documents. */
  readonly stopIds?: readonly number[];
  readonly maxTokens: number;
  /** 0 takes the likeliest token. */
  readonly temperature: number;
  readonly seed: number;
}

/** How long one token may take. */
const patienceMs = 60_000;

export class Generator {
  private readonly cluster: Pick<Cluster, 'system' | 'settled'>;
  private readonly tokenizer: Tokenizer;
  private readonly sequenceLength: number;
  private readonly pipelineRanks: number;

  constructor(
    cluster: Pick<Cluster, 'system' | 'settled'>,
    tokenizer: Tokenizer,
    { training, parallelism }: Pick<Topology, 'training' | 'parallelism'>,
  ) {
    this.cluster = cluster;
    this.tokenizer = tokenizer;
    this.sequenceLength = training.sequence_length;
    this.pipelineRanks = parallelism.pipeline_parallel;
  }

  /** Yields text as it becomes certain; ends at one of the `stopIds` or after `maxTokens`. */
  generate(options: GenerationOptions): AsyncGenerator<string> {
    return continuation(this.tokenizer, options, (ids, i) =>
      askedAgain(this.cluster, () => this.askLogits(ids.slice(-this.sequenceLength), i)),
    );
  }

  private async askLogits(ids: readonly number[], step: number): Promise<Float32Array> {
    const tokens = new Int32Array(this.sequenceLength);
    tokens.set(ids);
    const prompt = { tokens: payload(tokens, [tokens.length]), position: ids.length - 1 };
    const stages = Array.from({ length: this.pipelineRanks }, (_, p) =>
      this.cluster.system.ref(stageProtocol, stageAddress(p, 0)),
    );
    const pass: Pass = { kind: 'decode', data: 'prompt', step };
    for (const stage of stages) stage.tell.open({ pass, microbatches: [0], prompt });
    const reports = await Promise.all(stages.map((stage) => stage.ask.finish(pass, { timeoutMs: patienceMs })));
    const logits = reports.at(-1)?.outputs.find(({ name }) => name === 'logits');
    if (logits === undefined) throw new Error('the last stage gave no logits');
    return floats('logits', dataOf(logits.tensor));
  }
}

/** The text that continues a prompt, by the logits `[vocabulary]` that `nextLogits` gives for the i-th token after ids. */
export async function* continuation(
  tokenizer: Tokenizer,
  { prompt, stopIds = [tokenizer.separatorId], maxTokens, temperature, seed }: GenerationOptions,
  nextLogits: (ids: readonly number[], i: number) => Promise<Float32Array>,
): AsyncGenerator<string> {
  const ids = Array.from(typeof prompt === 'string' ? await tokenizer.encode(prompt) : prompt);
  const known = tokensOnly(tokenizer);
  // It has seen the prompt: some tokenizers put the space between two words into the second one.
  const decoder: TokenDecoder = tokenizer.decoder(ids);
  // A model begins documents after a separator; an empty prompt is the beginning of a document.
  if (ids.length === 0) ids.push(tokenizer.separatorId);
  for (let i = 0; i < maxTokens; i++) {
    const logits = await nextLogits(ids, i);
    const id = sample(known(logits), temperature, hashU32(seed, i) / 2 ** 32);
    if (stopIds.includes(id)) break;
    ids.push(id);
    const text = decoder.push(id);
    if (text !== '') yield text;
  }
  const rest = decoder.end();
  if (rest !== '') yield rest;
}

/** Gives the logits of the tokenizer's tokens alone: a model may have rows past the last one, and ids may have gaps. */
function tokensOnly(tokenizer: Pick<Tokenizer, 'vocabSize' | 'hasId'>): (logits: Float32Array) => Float32Array {
  const gaps = Array.from({ length: tokenizer.vocabSize }, (_, id) => id).filter((id) => !tokenizer.hasId(id));
  return (logits) => {
    const own = logits.slice(0, tokenizer.vocabSize);
    for (const id of gaps) own[id] = -Infinity;
    return own;
  };
}

/** A token by its softmax probability at a temperature, from one uniform number in [0, 1); ties go to the lowest id. */
export function sample(logits: Float32Array, temperature: number, uniform: number): number {
  let best = 0;
  for (let id = 1; id < logits.length; id++) if (logits[id] > logits[best]) best = id;
  if (temperature === 0) return best;
  const weights = Float64Array.from(logits, (logit) => Math.exp((logit - logits[best]) / temperature));
  let left = uniform * weights.reduce((sum, weight) => sum + weight, 0);
  for (let id = 0; id < weights.length; id++) {
    left -= weights[id];
    if (left < 0) return id;
  }
  return best;
}
