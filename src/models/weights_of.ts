/**
 * A sublayer's weights in a program that also has others: each goes by a prefix there, and its parameter by the place of
 * the sublayer in the model. Shape suffixes: see `model.ts`.
 */
import type { Value } from '../kernels/graph.ts';
import { weight, type InputSpec, type Values } from '../kernels/trace.ts';
import type { ModelShape, Weights } from './model.ts';
import { matrix, scale } from './parameter.ts';
import type { FeedForward, Mixer } from './sublayer.ts';

/** The weights of `sublayer` under `prefix`, their parameters' names beginning with `at`. */
export function weightsOf(sublayer: Mixer | FeedForward, shape: ModelShape, prefix: string, at: string): Weights {
  const weights = Object.entries(sublayer.weights(shape, { matrix, scale }));
  return Object.fromEntries(
    weights.map(([name, parameter]) => [`${prefix}_${name}`, { ...parameter, name: `${at}.${parameter.name}` }]),
  );
}

/** How a program declares them. */
export const specsOf = (weights: Weights): Record<string, InputSpec> =>
  Object.fromEntries(Object.entries(weights).map(([name, { shape }]) => [name, weight(shape)]));

/** What the sublayer reads, by its own names, of all values of the program. */
export function weightsUnder(prefix: string, values: Values<string>): Record<string, Value> {
  const start = `${prefix}_`;
  const own = Object.entries(values).filter(([name]) => name.startsWith(start));
  return Object.fromEntries(own.map(([name, value]) => [name.slice(start.length), value]));
}
