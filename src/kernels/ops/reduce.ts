/**
 * What the reductions share: which axes go, the shape that is left, and the walk over x that tells each element where it
 * ends up. `reduceSum`, `reduceMean` and `reduceMax` differ only in what they do there.
 */
import { axisOf } from '../check.ts';
import { f32x4, i32 } from '../cpu/wasm/instructions.ts';
import type { Kernel, WasmOperand } from '../cpu/wasm/kernel.ts';
import type { Operand } from '../type.ts';
import { broadcastStrides, isStatic, maxElements, type Dim, type Shape } from '../shape.ts';

export interface Reduction {
  /** Sorted, counted from the front. */
  readonly axes: readonly number[];
  readonly keepDims: boolean;
}

export function reduction(op: string, shape: Shape, axes: readonly number[], keepDims: boolean): Reduction {
  const counted = axes.map((axis) => axisOf(op, axis, shape.length));
  return { axes: [...new Set(counted)].sort((a, b) => a - b), keepDims };
}

/** `shape` with its reduced axes of size 1. */
export function keptShape(shape: Shape, { axes }: Reduction): Shape {
  return shape.map((dim, axis): Dim => (axes.includes(axis) ? 1 : dim));
}

/** `shape` after the reduction. */
export function reducedShape(shape: Shape, { axes, keepDims }: Reduction): Shape {
  return keepDims ? keptShape(shape, { axes, keepDims }) : shape.filter((_, axis) => !axes.includes(axis));
}

/** Calls `visit(from, to)` for every element of x, in row-major order, with the element of the result it falls in. */
export function forEachReduced(x: Operand, { axes }: Reduction, visit: (from: number, to: number) => void): void {
  const sizes = x.shape;
  const steps = broadcastStrides(
    sizes.map((size, axis) => (axes.includes(axis) ? 1 : size)),
    sizes,
  );
  const at = new Array<number>(sizes.length).fill(0);
  let to = 0;
  for (let from = 0; from < x.data.length; from++) {
    visit(from, to);
    for (let axis = at.length - 1; axis >= 0; axis--) {
      to += steps[axis];
      if (++at[axis] < sizes[axis]) break;
      to -= steps[axis] * sizes[axis];
      at[axis] = 0;
    }
  }
}

/** Is this a sum over the last axis alone, of a width at which onnxruntime gives a row the same bits everywhere? */
export function isStableSum(shape: Shape, { axes }: Reduction): boolean {
  const last = shape.at(-1);
  return axes.length === 1 && axes[0] === shape.length - 1 && typeof last === 'number' && last > 0 && last % 16 === 0;
}

/**
 * Code for the sum over all axes before those of `row`: adds the rows of `x` to `y` one after another. Returns false where
 * the number of rows is not one dimension or fixed.
 */
export function addRows(kernel: Kernel, x: WasmOperand, y: WasmOperand, row: Shape): boolean {
  const { shape } = x.type;
  const leading = shape.slice(0, shape.length - row.length);
  if (row.length === 0 || leading.length === 0 || !isStatic(row)) return false;
  if (leading.length > 1 && !isStatic(leading)) return false;
  const width = maxElements(row);
  const rows = leading.length === 1 ? leading[0] : maxElements(leading);
  if (width <= FEW_COLUMNS) {
    addFew(kernel, { x, y, rows, width });
    return true;
  }
  kernel.across(width, (column, offset) => kernel.store(y, kernel.f.constant(0), column, offset));
  return kernel.overRows([rows, width], (_, start) =>
    kernel.across(width, (column, offset) => {
      const part = kernel.load(x, kernel.in(start, column), offset);
      kernel.store(y, kernel.f.add(kernel.load(y, column, offset), part), column, offset);
    }),
  );
}

/** Rows up to so wide are added in a register for each column. */
const FEW_COLUMNS = 4;

function addFew(
  kernel: Kernel,
  {
    x,
    y,
    rows,
    width,
  }: { readonly x: WasmOperand; readonly y: WasmOperand; readonly rows: Dim; readonly width: number },
): void {
  const { fn, f } = kernel;
  const sums = Array.from({ length: width }, () => fn.let(f32x4.const(0), 'sum'));
  kernel.rows(rows, width, (_, start) =>
    sums.forEach((sum, column) => fn.set(sum, f.add(sum, kernel.splat(x, start, 4 * column)))),
  );
  sums.forEach((sum, column) => kernel.storeOne(y, sum, i32.const(0), 4 * column));
}
