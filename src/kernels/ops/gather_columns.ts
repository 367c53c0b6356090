/**
 * Elements picked from each row by column, and its transpose, which adds elements to the columns of each row. Column −1 is
 * nobody: 0 when gathering, skipped when adding. Shape suffixes: R rows, E columns, K picks a row.
 */
import { requireDType, requireFloats, requireRank, staticSize } from '../check.ts';
import { i32, type I32 } from '../cpu/wasm/instructions.ts';
import type { Kernel, WasmOperand } from '../cpu/wasm/kernel.ts';
import { floats, ints } from '../dtype.ts';
import { ShapeError } from '../errors.ts';
import type { Value } from '../graph.ts';
import { defineOp } from '../op.ts';
import type { Type } from '../type.ts';
import { innerOf } from '../webgpu/lowering.ts';
import { sameDim, sameShape, showShape } from '../shape.ts';

const gather = defineOp<undefined>({
  name: 'gather_columns',
  infer: ([x, columns]) => {
    checkColumns('gather_columns', x, columns);
    return [{ dtype: 'f32', shape: columns.shape }];
  },
  reference: ([x, columns], [y]) => {
    const from = floats('gather_columns', x.data);
    const to = floats('gather_columns', y.data);
    const column = ints('gather_columns', columns.data);
    const [rows, picks] = columns.shape;
    const width = x.shape[1];
    for (let i = 0; i < rows * picks; i++) {
      const r = Math.floor(i / picks);
      const c = columnAt('gather_columns', column[i], r, width);
      to[i] = c < 0 ? 0 : from[r * width + c];
    }
  },
  wasm: (kernel, [x, columns], [y]) => {
    eachPick(kernel, columns, Number(x.type.shape[1]), ({ column, pick, start }) => {
      kernel.storeOne(y, kernel.f.constant(0), pick);
      kernel.fn.if(i32.geS(column, i32.const(0)), () =>
        kernel.storeOne(y, kernel.splat(x, kernel.in(start, kernel.elementAt(column))), pick),
      );
    });
    return true;
  },
  wgsl: (lowering, [x, columns], [y]) => {
    const [width, picks] = [innerOf(x.type.shape), innerOf(columns.type.shape)];
    lowering.each({
      label: 'gather_columns',
      reads: { x, columns },
      writes: { y },
      over: columns.type.shape,
      canRefuse: true,
      body: `let c = columns[i];
if (c < -1 || c >= ${width}) { refuse(1u); y[i] = 0f; return; }
if (c < 0) { y[i] = 0f; } else { y[i] = x[i / ${picks}u * ${width}u + u32(c)]; }`,
    });
  },
  gradient: ({ inputs: [x, columns], cotangents: [c] }) => [
    c && scatterColumns(c, columns, Number(x.type.shape[1])),
    null,
  ],
});

const scatter = defineOp<{ width: number }>({
  name: 'scatter_columns',
  infer: ([x, columns], { width }) => {
    checkColumns('scatter_columns', x, columns);
    if (!sameShape(x.shape, columns.shape)) {
      throw new ShapeError('scatter_columns', `${showShape(x.shape)} and ${showShape(columns.shape)} differ`);
    }
    return [{ dtype: 'f32', shape: [x.shape[0], width] }];
  },
  reference: ([x, columns], [y], { width }) => {
    const from = floats('scatter_columns', x.data);
    const to = floats('scatter_columns', y.data);
    const column = ints('scatter_columns', columns.data);
    const [rows, picks] = columns.shape;
    to.fill(0);
    for (let i = 0; i < rows * picks; i++) {
      const r = Math.floor(i / picks);
      const c = columnAt('scatter_columns', column[i], r, width);
      if (c >= 0) to[r * width + c] += from[i];
    }
  },
  wasm: (kernel, [x, columns], [y], { width }) => {
    if (!kernel.takes(y.type.shape)) return false;
    kernel.fill(y, 0);
    eachPick(kernel, columns, width, ({ column, pick, start }) =>
      kernel.fn.if(i32.geS(column, i32.const(0)), () => {
        const at = kernel.in(start, kernel.elementAt(column));
        kernel.storeOne(y, kernel.f.add(kernel.splat(y, at), kernel.splat(x, pick)), at);
      }),
    );
    return true;
  },
  wgsl: (lowering, [x, columns], [y], { width }) => {
    const picks = innerOf(columns.type.shape);
    lowering.each({
      label: 'scatter_columns',
      reads: { x, columns },
      writes: { y },
      over: y.type.shape,
      canRefuse: true,
      body: `let r = i / ${width}u;
let c = i32(i % ${width}u);
var sum = 0f;
for (var k = r * ${picks}u; k < (r + 1u) * ${picks}u; k++) {
  if (columns[k] < -1 || columns[k] >= ${width}) { refuse(1u); }
  if (columns[k] == c) { sum += x[k]; }
}
y[i] = sum;`,
    });
  },
  gradient: ({ inputs: [, columns], cotangents: [c] }) => [c && gatherColumns(c, columns), null],
});

/**
 * y[r, k] = x[r, columns[r, k]], 0 for column −1: x [R, E], columns i32 [R, K] → [R, K]; R may be dynamic. Throws
 * `ShapeError` when it runs into a column outside of −1 … E − 1.
 */
export function gatherColumns(x: Value, columns: Value): Value {
  return gather([x, columns], undefined)[0];
}

/**
 * y[r, e] = Σ x[r, k] over the k with columns[r, k] = e, added in the order of k: x [R, K], columns i32 [R, K] →
 * [R, width]. Throws as `gatherColumns`.
 */
export function scatterColumns(x: Value, columns: Value, width: number): Value {
  return scatter([x, columns], { width })[0];
}

/** Checks x [R, …] and columns i32 [R, K]. Throws `ShapeError` or `DTypeError`. */
export function checkColumns(op: string, x: Type, columns: Type): void {
  requireFloats(op, [x]);
  requireDType(op, columns, 'i32');
  requireRank(op, 'x', x, 2);
  requireRank(op, 'columns', columns, 2);
  staticSize(op, 'the width', x.shape[1]);
  staticSize(op, 'the number of columns', columns.shape[1]);
  if (!sameDim(x.shape[0], columns.shape[0])) {
    throw new ShapeError(op, `${showShape(x.shape)} and ${showShape(columns.shape)} differ in rows`);
  }
}

/** `column`. Throws `ShapeError` where it is outside of −1 … `width` − 1. */
export function columnAt(op: string, column: number, row: number, width: number): number {
  if (column < -1 || column >= width) {
    throw new ShapeError(op, `column ${column} of row ${row} is outside of ${width} columns`);
  }
  return column;
}

interface Pick {
  /** −1 or a column. */
  readonly column: I32;
  /** The byte of the pick among those of all rows. */
  readonly pick: I32;
  /** The byte where the row of `width` columns begins. */
  readonly start: I32;
}

/** Emits `body` for every pick of every row, in order; refuses what `columnAt` does. */
function eachPick(kernel: Kernel, columns: WasmOperand, width: number, body: (pick: Pick) => void): void {
  const [rows, picks] = columns.type.shape;
  kernel.rows(rows, width, (row, start) => {
    const first = kernel.fn.let(i32.mul(row, i32.const(Number(picks))));
    const end = kernel.fn.let(i32.add(first, i32.const(Number(picks))), 'end');
    kernel.fn.loop(first, end, 1, (index) => {
      const column = kernel.integer(columns, index);
      kernel.refuseIf(i32.ltS(column, i32.const(-1)));
      kernel.refuseIf(i32.geS(column, i32.const(width)));
      body({ column, pick: kernel.elementAt(index), start });
    });
  });
}
