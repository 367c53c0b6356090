/**
 * A holding is what one actor holds of one parameter: with whom, in which of the places where the model uses it, and whether it
 * learns. All sharers have the same values and apply the same update; the first of them reports. Data parallel, a weight used
 * twice (a tied embedding on two stages or on one), experts and frozen models are all told by holdings.
 */
import type { Weights } from '../../models/model.ts';
import type { Parameter } from '../../models/parameter.ts';
import { usedOnce, type Uses } from '../../topology/index.ts';

export interface Holding {
  readonly parameter: Parameter;
  /** Addresses of all that hold the parameter, the holder's own among them, in the order of the cast. */
  readonly sharers: readonly string[];
  /** Which places of the model the holder runs: each gives a leaf of every microbatch, and has a subtree of its own. */
  readonly uses: Uses;
  /** By use: the addresses of those that run it, by data-parallel rank. Every sharer has the same list. */
  readonly holders: readonly (readonly string[])[];
  /** One that does not has no moments and no gradient; it is saved, and counts steps like all others. */
  readonly learns: boolean;
}

/** The key of the gradient of one use: the parameter's name, and from the second use on its number, as `name@1`. */
export const useKey = (name: string, use: number): string => (use === 0 ? name : `${name}@${use}`);

/** A program's place in the model: its weights, and the addresses of those that run it, by data-parallel rank. */
export interface Place {
  readonly weights: Weights;
  readonly holders: readonly string[];
}

/** Holdings of parameters that are used in one place each, by all of the sharers. */
export function holdingsOf(weights: Weights, sharers: readonly string[]): Holding[] {
  const holders = [sharers];
  return Object.values(weights).map((parameter) => ({ parameter, sharers, uses: usedOnce, holders, learns: true }));
}

/**
 * The holdings of every holder of a model, by address, each list in the order in which the model first uses its parameters.
 * `places` are all of the model's, in step order. Throws `ParametersDiffer` where two parameters have one name.
 */
export function holdingsByAddress(places: readonly Place[]): Map<string, Holding[]> {
  const used = new Map<string, { readonly parameter: Parameter; readonly holders: (readonly string[])[] }>();
  for (const { weights, holders } of places) {
    for (const parameter of Object.values(weights)) {
      const known = used.get(parameter.name) ?? { parameter, holders: [] };
      checkSame(known.parameter, parameter);
      known.holders.push(holders);
      used.set(parameter.name, known);
    }
  }
  const holdings = new Map<string, Holding[]>();
  for (const { parameter, holders } of used.values()) {
    const uses = new Map<string, number[]>();
    holders.forEach((each, use) => each.forEach((address) => append(uses, address, use)));
    const sharers = holders.length === 1 ? holders[0] : [...uses.keys()];
    for (const [address, own] of uses) {
      append(holdings, address, { parameter, sharers, uses: { own, of: holders.length }, holders, learns: true });
    }
  }
  return holdings;
}

/** By program in step order: the key of each weight's gradient, by the program's own name of the weight. */
export function useKeysOf(programs: readonly Weights[]): Readonly<Record<string, string>>[] {
  const counts = new Map<string, number>();
  return programs.map((weights) =>
    Object.fromEntries(
      Object.entries(weights).map(([input, { name }]) => {
        const use = counts.get(name) ?? 0;
        counts.set(name, use + 1);
        return [input, useKey(name, use)];
      }),
    ),
  );
}

function append<K, V>(lists: Map<K, V[]>, key: K, value: V): void {
  const known = lists.get(key);
  if (known === undefined) lists.set(key, [value]);
  else known.push(value);
}

function checkSame(first: Parameter, other: Parameter): void {
  if (first.shape.join() !== other.shape.join() || first.decays !== other.decays) {
    throw new ParametersDiffer(first.name, [first.shape, other.shape]);
  }
}

/** Two parameters have one name and are not the same: one of them would be read in the place of the other. */
export class ParametersDiffer extends Error {
  readonly tag = 'ParametersDiffer';
  readonly exitCode = 1;
  constructor(name: string, shapes: readonly (readonly number[])[]) {
    const [first, other] = shapes.map((shape) => `[${shape.join(', ')}]`);
    const how = first === other ? 'of which one decays' : `of shape ${first} and ${other}`;
    super(`model: two parameters are named ${name}, ${how}; a name is one parameter, give the other a name of its own`);
    this.name = 'ParametersDiffer';
  }
}
