/**
 * The checks that shape rules share: element types, ranks, and sizes that must be known when a program is traced. Each
 * throws in the name of the op that asks.
 */
import type { DType } from './dtype.ts';
import { DTypeError, ShapeError } from './errors.ts';
import type { Type } from './type.ts';
import { isStatic, maxElements, sameDim, showShape, type Dim, type Shape } from './shape.ts';

/** Throws `DTypeError` unless every type is f32. */
export function requireFloats(op: string, types: readonly Type[]): void {
  for (const type of types) requireDType(op, type, 'f32');
}

export function requireDType(op: string, type: Type, dtype: DType): void {
  if (type.dtype !== dtype) throw new DTypeError(op, dtype, type.dtype);
}

export function requireRank(op: string, what: string, type: Type, rank: number): void {
  if (type.shape.length !== rank) {
    throw new ShapeError(op, `${what} has shape ${showShape(type.shape)}, needs ${rank} axes`);
  }
}

/** Throws unless `type` has an integer for each of `tokens` of `batch` sequences: [B, T], or rows [B·T] of fixed sizes. */
export function requirePerToken(op: string, what: string, type: Type, batch: Dim, tokens: Dim): void {
  requireDType(op, type, 'i32');
  const { shape } = type;
  if (shape.length === 2 && sameDim(shape[0], batch) && sameDim(shape[1], tokens)) return;
  if (shape.length === 1 && isStatic([batch, tokens]) && shape[0] === maxElements([batch, tokens])) return;
  throw new ShapeError(op, `${what} ${showShape(shape)} are not of sequences ${showShape([batch, tokens])}`);
}

/** The size of a dimension that may not be dynamic here. */
export function staticSize(op: string, what: string, dim: Dim): number {
  if (typeof dim === 'number') return dim;
  throw new ShapeError(op, `${what} is the dynamic dimension ${dim.name}, needs a fixed size`);
}

/** The shape, when none of its dimensions is dynamic. */
export function staticShape(op: string, what: string, shape: Shape): readonly number[] {
  if (isStatic(shape)) return shape;
  throw new ShapeError(op, `${what} has shape ${showShape(shape)}, needs fixed sizes`);
}

/** Is the shape without dynamic dimensions and without elements? Such operands never reach onnxruntime. */
export function isEmpty(shape: Shape): boolean {
  return maxElements(shape) === 0;
}

/** The axis counted from the front. Throws `ShapeError` when there is none such. */
export function axisOf(op: string, axis: number, rank: number): number {
  const from = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(axis) || from < 0 || from >= rank) {
    throw new ShapeError(op, `axis ${axis} is not one of ${rank} axes`);
  }
  return from;
}
