/**
 * Rows picked by index, and its transpose, the sum of rows by index. Index −1 is nobody: a zero row when gathering,
 * skipped when summing. ONNX's Gather has no "nobody".
 */
import { requireDType, requireFloats, requireRank } from '../check.ts';
import { i32, type I32 } from '../cpu/wasm/instructions.ts';
import type { Kernel, WasmOperand } from '../cpu/wasm/kernel.ts';
import { floats, ints } from '../dtype.ts';
import { ShapeError } from '../errors.ts';
import type { Value } from '../graph.ts';
import { defineOp } from '../op.ts';
import type { Type } from '../type.ts';
import { innerOf } from '../webgpu/lowering.ts';
import { sizeText } from '../webgpu/pass.ts';
import { segmentOrder } from '../webgpu/wgsl/segment_order.ts';
import { sameDim, showShape, type Dim } from '../shape.ts';

const gather = defineOp<undefined>({
  name: 'gather_rows',
  infer: ([x, index]) => {
    checkOperands('gather_rows', x, index);
    return [{ dtype: 'f32', shape: [index.shape[0], x.shape[1]] }];
  },
  reference: ([x, index], [y]) => {
    const from = floats('gather_rows', x.data);
    const to = floats('gather_rows', y.data);
    const at = ints('gather_rows', index.data);
    const [rows, width] = x.shape;
    for (let s = 0; s < at.length; s++) {
      const r = rowAt('gather_rows', at, s, rows);
      const target = s * width;
      if (r < 0) to.fill(0, target, target + width);
      else for (let i = 0, source = r * width; i < width; i++) to[target + i] = from[source + i];
    }
  },
  wasm: (kernel, [x, index], [y]) =>
    kernel.overRows(y.type.shape, (width, start, s) => {
      const from = rowAtIndex(kernel, index, s, x, width);
      kernel.fn.if(
        i32.ltS(from.row, i32.const(0)),
        () => kernel.across(width, (at, offset) => kernel.store(y, kernel.f.constant(0), at, offset), start),
        () =>
          kernel.across(width, (column, offset) => {
            const element = kernel.load(x, kernel.in(from.start, column), offset);
            kernel.store(y, element, kernel.in(start, column), offset);
          }),
      );
    }),
  wgsl: (lowering, [x, index], [y]) => {
    const width = innerOf(x.type.shape);
    lowering.each({
      label: 'gather_rows',
      reads: { x, index },
      writes: { y },
      over: y.type.shape,
      canRefuse: true,
      body: `let r = index[i / ${width}u];
if (r < -1 || r >= i32(${sizeText(x.type.shape[0])})) { refuse(1u); y[i] = 0f; return; }
if (r < 0) { y[i] = 0f; } else { y[i] = x[u32(r) * ${width}u + i % ${width}u]; }`,
    });
  },
  gradient: ({ inputs: [x, index], cotangents: [c] }) => [c && segmentSum(c, index, x.type.shape[0]), null],
});

const segments = defineOp<{ segments: Dim }>({
  name: 'segment_sum',
  infer: ([x, index], { segments }) => {
    checkOperands('segment_sum', x, index);
    if (!sameDim(x.shape[0], index.shape[0])) {
      throw new ShapeError('segment_sum', `${showShape(x.shape)} and ${showShape(index.shape)} differ in rows`);
    }
    return [{ dtype: 'f32', shape: [segments, x.shape[1]] }];
  },
  reference: ([x, index], [y]) => {
    const from = floats('segment_sum', x.data);
    const to = floats('segment_sum', y.data);
    const at = ints('segment_sum', index.data);
    const [rows, width] = y.shape;
    to.fill(0);
    for (let s = 0; s < at.length; s++) {
      const r = rowAt('segment_sum', at, s, rows);
      if (r < 0) continue;
      for (let i = 0, source = s * width, target = r * width; i < width; i++) to[target + i] += from[source + i];
    }
  },
  wasm: (kernel, [x, index], [y]) => {
    if (!kernel.takes(y.type.shape)) return false;
    kernel.fill(y, 0);
    return kernel.overRows(x.type.shape, (width, start, s) => {
      const to = rowAtIndex(kernel, index, s, y, width);
      kernel.fn.if(i32.geS(to.row, i32.const(0)), () =>
        kernel.across(width, (column, offset) => {
          const at = kernel.in(to.start, column);
          const part = kernel.load(x, kernel.in(start, column), offset);
          kernel.store(y, kernel.f.add(kernel.load(y, at, offset), part), at, offset);
        }),
      );
    });
  },
  wgsl: (lowering, [x, index], [y]) => {
    const { shape } = y.type;
    const width = innerOf(shape);
    const { starts, order } = segmentOrder(lowering, 'segment_sum', index, index.type.shape, shape[0]);
    lowering.each({
      label: 'segment_sum',
      reads: { x, starts, order },
      writes: { y },
      over: shape,
      body: `let s = i / ${width}u;
let end = starts[s + 1u];
var sum = 0f;
for (var at = starts[s]; at < end; at++) { sum += x[order[at] * ${width}u + i % ${width}u]; }
y[i] = sum;`,
    });
  },
  gradient: ({ inputs: [, index], cotangents: [c] }) => [c && gatherRows(c, index), null],
});

/**
 * Rows of `x` by index: x [R, D], index i32 [S] → [S, D]; R and S may be dynamic. Throws `ShapeError` when it runs into
 * an index outside of −1 … R − 1.
 */
export function gatherRows(x: Value, index: Value): Value {
  return gather([x, index], undefined)[0];
}

/**
 * y[r] = Σ x[s] over the s with index[s] = r, added in the order s = 0, 1, 2 …: x [S, D], index i32 [S] → [segments, D].
 * Throws as `gatherRows`.
 */
export function segmentSum(x: Value, index: Value, segmentCount: Dim): Value {
  return segments([x, index], { segments: segmentCount })[0];
}

function checkOperands(op: string, x: Type, index: Type): void {
  requireFloats(op, [x]);
  requireDType(op, index, 'i32');
  requireRank(op, 'x', x, 2);
  requireRank(op, 'index', index, 1);
}

function rowAt(op: string, index: Int32Array, s: number, rows: number): number {
  const r = index[s];
  if (r < -1 || r >= rows) throw new ShapeError(op, `index ${r} at row ${s} is outside of ${rows} rows`);
  return r;
}

/** The row that index `s` names and where it begins in `x`; refuses what `rowAt` does. */
function rowAtIndex(kernel: Kernel, index: WasmOperand, s: I32, x: WasmOperand, width: number) {
  const row = kernel.integer(index, s);
  kernel.refuseIf(i32.ltS(row, i32.const(-1)));
  kernel.refuseIf(i32.geS(row, kernel.size(x.type.shape[0])));
  return { row, start: kernel.fn.let(i32.mul(row, i32.const(4 * width))) };
}
