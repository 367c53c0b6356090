/**
 * A sublayer's weights in a program that also has others: each goes by a prefix there, and its parameter by the place of
 * the sublayer in the model. Shape suffixes: see `model.ts`.
 */
import type { Value } from '../kernels/graph.ts';
import type { Values } from '../kernels/trace.ts';
import type { LayerShape } from './config.ts';
import type { Weights } from './model.ts';
import { usualMakers, type Parameter, type ParameterMakers } from './parameter.ts';
import type { FeedForward, Mixer } from './sublayer.ts';

/** The weights of `sublayer` under `prefix`, their parameters' names beginning with `at`. */
export function weightsOf(
  sublayer: Mixer | FeedForward,
  shape: LayerShape,
  prefix: string,
  at: string,
  make: ParameterMakers = usualMakers,
): Weights {
  return prefixed(prefix, at, sublayer.weights(shape, make));
}

/** Weights under `prefix`, the names of their parameters continuing `at`. */
export function prefixed(prefix: string, at: string, parameters: Readonly<Record<string, Parameter>>): Weights {
  const weights = Object.entries(parameters);
  return Object.fromEntries(
    weights.map(([name, parameter]) => [`${prefix}_${name}`, { ...parameter, name: `${at}.${parameter.name}` }]),
  );
}

/** What the sublayer reads, by its own names, of all values of the program. */
export function weightsUnder(prefix: string, values: Values<string>): Record<string, Value> {
  const start = `${prefix}_`;
  const own = Object.entries(values).filter(([name]) => name.startsWith(start));
  return Object.fromEntries(own.map(([name, value]) => [name.slice(start.length), value]));
}
