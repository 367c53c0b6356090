/**
 * Shapes are static but for named dynamic dimensions (`rows`, `kv`, `batch`), each with a maximum. A program compiles
 * once for the maximum; the live size is an argument of every run.
 */
import { ShapeError } from './errors.ts';

export interface DynamicDim {
  readonly name: string;
  readonly max: number;
}
export type Dim = number | DynamicDim;
export type Shape = readonly Dim[];
/** Live sizes of the dynamic dimensions of one run. */
export type LiveSizes = Readonly<Record<string, number>>;

/** A dimension whose size is known only when a program runs. */
export function dynamic(name: string, max: number): DynamicDim {
  return { name, max };
}

export function isStatic(shape: Shape): shape is readonly number[] {
  return shape.every((dim) => typeof dim === 'number');
}

export function sameDim(a: Dim, b: Dim): boolean {
  return typeof a === 'number' || typeof b === 'number' ? a === b : a.name === b.name && a.max === b.max;
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((dim, i) => sameDim(dim, b[i]));
}

/** Elements at the maximum of every dynamic dimension. */
export function maxElements(shape: Shape): number {
  return shape.reduce<number>((n, dim) => n * (typeof dim === 'number' ? dim : dim.max), 1);
}

/** The shape with every dynamic dimension replaced by its live size. Throws `ShapeError` when one is missing or too large. */
export function resolve(shape: Shape, live: LiveSizes): number[] {
  return shape.map((dim) => {
    if (typeof dim === 'number') return dim;
    const size = live[dim.name];
    if (size === undefined) throw new ShapeError('run', `no live size given for dimension ${dim.name}`);
    if (size > dim.max) throw new ShapeError('run', `dimension ${dim.name} is ${size}, at most ${dim.max}`);
    return size;
  });
}

export function elements(shape: readonly number[]): number {
  let n = 1;
  for (const dim of shape) n *= dim;
  return n;
}

export function showShape(shape: Shape): string {
  return `[${shape.map((dim) => (typeof dim === 'number' ? String(dim) : `${dim.name}<=${dim.max}`)).join(', ')}]`;
}

/** The shape two operands broadcast to, by NumPy's rule. A dynamic dimension meets itself or 1. */
export function broadcastShapes(op: string, a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i): Dim => {
    const x = a[i - rank + a.length] ?? 1;
    const y = b[i - rank + b.length] ?? 1;
    if (sameDim(x, y) || y === 1) return x;
    if (x === 1) return y;
    throw new ShapeError(op, `${showShape(a)} and ${showShape(b)} do not broadcast`);
  });
}

/** Row-major strides of a concrete shape, in elements. */
export function strides(shape: readonly number[]): number[] {
  const out = new Array<number>(shape.length);
  let step = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    out[i] = step;
    step *= shape[i];
  }
  return out;
}

/** Strides of `shape` seen as `target`: 0 along every broadcast axis. */
export function broadcastStrides(shape: readonly number[], target: readonly number[]): number[] {
  const own = strides(shape);
  return target.map((size, i) => {
    const axis = i - target.length + shape.length;
    return axis < 0 || (shape[axis] === 1 && size !== 1) ? 0 : own[axis];
  });
}
