/**
 * Continued tokens are chosen one after another, each from the logits of what follows those before it. A choice is a pure function of
 * logits, seed and position.
 */
import { hashU32 } from '../data/index.ts';

export interface TokenChoices {
  /** Ids that end it, and are no part of it. */
  readonly stopIds: readonly number[];
  readonly maxTokens: number;
  /** 0 takes the likeliest token. */
  readonly temperature: number;
  readonly seed: number;
}

export interface ContinuedToken {
  readonly token: number;
  /** In nats, at temperature 1. */
  readonly logProb: number;
}

/** Tokens after `before`, by the logits that `nextLogits` gives for the i-th of them. */
export async function* continuedTokens(
  before: readonly number[],
  { stopIds, maxTokens, temperature, seed }: TokenChoices,
  nextLogits: (ids: readonly number[], i: number) => Promise<Float32Array>,
): AsyncGenerator<ContinuedToken, void, void> {
  const ids = [...before];
  for (let i = 0; i < maxTokens; i++) {
    const logits = await nextLogits(ids, i);
    const token = sample(logits, temperature, hashU32(seed, i) / 2 ** 32);
    if (stopIds.includes(token)) return;
    ids.push(token);
    yield { token, logProb: logProbOf(logits, token) };
  }
}

/** The logarithm of a token's softmax probability, in nats. */
function logProbOf(logits: Float32Array, token: number): number {
  const top = logits.reduce((most, logit) => Math.max(most, logit), -Infinity);
  return logits[token] - top - Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - top), 0));
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
