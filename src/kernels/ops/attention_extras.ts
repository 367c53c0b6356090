/**
 * Operands that attention may be given beside queries, keys and values: a bias of the scores, and where the keys of each
 * query begin and end. An op's attributes name those that it has, and its operands end with them in this order.
 */
import { requireDType, requireFloats } from '../check.ts';
import { ShapeError } from '../errors.ts';
import { sameDim, sameShape, showShape, type Dim, type Shape } from '../shape.ts';
import type { Type } from '../type.ts';

const names = ['bias', 'begins', 'ends'] as const;
export type Extra = (typeof names)[number];
export type Extras<T> = { readonly [Name in Extra]?: T | undefined };

/** Those that there are, as the last operands of an op. */
export const extraOperands = <T>(extras: Extras<T>): readonly T[] => names.flatMap((name) => extras[name] ?? []);

/** Their names, for its attributes. */
export const namesOf = (extras: Extras<unknown>): readonly Extra[] =>
  names.filter((name) => extras[name] !== undefined);

/** `operands` by their names. */
export function extrasOf<T>(operands: readonly T[], given: readonly Extra[]): Extras<T> {
  const named = (name: Extra): T | undefined => operands[given.indexOf(name)];
  return { bias: named('bias'), begins: named('begins'), ends: named('ends') };
}

export interface Sizes {
  readonly batch: Dim;
  readonly heads: Dim;
  readonly queries: Dim;
  readonly keys: Dim;
}

/** Throws `DTypeError` or `ShapeError` in the name of `op` where one is not of so many sequences, heads, queries and keys. */
export function checkExtras(op: string, { bias, begins, ends }: Extras<Type>, sizes: Sizes): void {
  const { batch, heads, queries, keys } = sizes;
  if (bias !== undefined) {
    requireFloats(op, [bias]);
    const needed = [heads, queries, keys];
    if (!sameShape(bias.shape, needed))
      throw new ShapeError(op, `bias ${showShape(bias.shape)} is not of heads, queries and keys ${showShape(needed)}`);
  }
  for (const [name, places] of Object.entries({ begins, ends })) {
    if (places === undefined) continue;
    requireDType(op, places, 'i32');
    if (!isForEachQuery(places.shape, batch, queries))
      throw new ShapeError(
        op,
        `${name} ${showShape(places.shape)} are not of sequences ${showShape([batch, queries])}`,
      );
  }
}

/** [B, Tq], or as rows [B·Tq]. */
function isForEachQuery(shape: Shape, batch: Dim, queries: Dim): boolean {
  if (shape.length === 2) return sameDim(shape[0], batch) && sameDim(shape[1], queries);
  return typeof batch === 'number' && typeof queries === 'number' && sameShape(shape, [batch * queries]);
}
