/**
 * The two gradients of `combine`: of the rows, a gather by slot scaled by the gate; of the gates, a dot product for each
 * choice. Shape suffixes as in `combine.ts`.
 */
import { numbers } from '../arithmetic.ts';
import { i32, type I32 } from '../cpu/wasm/instructions.ts';
import type { Kernel, WasmOperand } from '../cpu/wasm/kernel.ts';
import { floats, ints } from '../dtype.ts';
import { ShapeError } from '../errors.ts';
import type { Value } from '../graph.ts';
import { laneSum } from '../lane_sum.ts';
import { defineOp } from '../op.ts';
import { innerOf } from '../webgpu/lowering.ts';
import { sizeText } from '../webgpu/pass.ts';
import { segmentOrder } from '../webgpu/wgsl/segment_order.ts';
import type { Shape } from '../shape.ts';

const zero = i32.const(0);

interface Choice {
  /** The row that came back; never −1. */
  readonly slot: I32;
  /** The byte of the choice among gates and slots. */
  readonly choice: I32;
  readonly width: number;
  /** The byte where the token's row begins. */
  readonly start: I32;
}

/** Emits `body` for every choice of every token that was not dropped; `tokens` [T, D]. */
export function eachChoice(
  kernel: Kernel,
  tokens: Shape,
  gates: WasmOperand,
  slots: WasmOperand,
  body: (choice: Choice) => void,
): boolean {
  const choices = Number(gates.type.shape[1]);
  return kernel.overRows(tokens, (width, start, token) => {
    for (let k = 0; k < choices; k++) {
      const { slot, choice } = choiceOf(kernel, slots, token, choices, k);
      kernel.fn.if(i32.geS(slot, zero), () => body({ slot, choice, width, start }));
    }
  });
}

/** Throws `ShapeError` for a slot that is none of `count` rows. */
export function checkSlot(op: string, slot: number, token: number, count: number): void {
  if (slot >= count) throw new ShapeError(op, `slot ${slot} of token ${token} is outside of ${count} rows`);
}

function choiceOf(kernel: Kernel, slots: WasmOperand, token: I32, choices: number, k: number) {
  const index = kernel.fn.let(i32.add(i32.mul(token, i32.const(choices)), i32.const(k)));
  return { slot: kernel.integer(slots, index), choice: kernel.elementAt(index) };
}

const ofRows = defineOp<undefined>({
  name: 'combine_rows_gradient',
  infer: ([, , , rows]) => [rows],
  reference: ([dy, gates, slots], [dRows]) => {
    const from = floats('combine_rows_gradient', dy.data);
    const gate = floats('combine_rows_gradient', gates.data);
    const slot = ints('combine_rows_gradient', slots.data);
    const to = floats('combine_rows_gradient', dRows.data);
    const [tokens, choices] = gates.shape;
    const [count, width] = dRows.shape;
    to.fill(0);
    for (let t = 0; t < tokens; t++) {
      const source = t * width;
      for (let k = 0; k < choices; k++) {
        const s = slot[t * choices + k];
        if (s < 0) continue;
        checkSlot('combine_rows_gradient', s, t, count);
        const g = gate[t * choices + k];
        const target = s * width;
        for (let i = 0; i < width; i++) to[target + i] += Math.fround(g * from[source + i]);
      }
    }
  },
  wasm: (kernel, [dy, gates, slots], [dRows]) => {
    if (!kernel.takes(dRows.type.shape)) return false;
    kernel.fill(dRows, 0);
    return eachChoice(kernel, dy.type.shape, gates, slots, ({ slot, choice, width, start }) => {
      kernel.refuseIf(i32.geS(slot, kernel.size(dRows.type.shape[0])));
      const gate = kernel.splat(gates, choice);
      const to = kernel.fn.let(i32.mul(slot, i32.const(4 * width)));
      kernel.across(width, (column, offset) => {
        const at = kernel.in(to, column);
        const part = kernel.f.mul(gate, kernel.load(dy, kernel.in(start, column), offset));
        kernel.store(dRows, kernel.f.add(kernel.load(dRows, at, offset), part), at, offset);
      });
    });
  },
  wgsl: (lowering, [dy, gates, slots], [dRows]) => {
    const { shape } = dRows.type;
    const [width, choices] = [innerOf(shape), innerOf(gates.type.shape)];
    const label = 'combine_rows_gradient';
    const { starts, order } = segmentOrder(lowering, label, slots, slots.type.shape, shape[0]);
    lowering.each({
      label,
      reads: { dy, gates, starts, order },
      writes: { d_rows: dRows },
      over: shape,
      body: `let slot = i / ${width}u;
let end = starts[slot + 1u];
var sum = 0f;
for (var at = starts[slot]; at < end; at++) {
  let choice = order[at];
  sum += gates[choice] * dy[choice / ${choices}u * ${width}u + i % ${width}u];
}
d_rows[i] = sum;`,
    });
  },
});

const ofGates = defineOp<undefined>({
  name: 'combine_gates_gradient',
  infer: ([, , slots]) => [{ dtype: 'f32', shape: slots.shape }],
  reference: ([dy, rows, slots], [dGates]) => {
    const from = floats('combine_gates_gradient', dy.data);
    const row = floats('combine_gates_gradient', rows.data);
    const slot = ints('combine_gates_gradient', slots.data);
    const to = floats('combine_gates_gradient', dGates.data);
    const [tokens, choices] = slots.shape;
    const [count, width] = rows.shape;
    for (let t = 0; t < tokens; t++) {
      for (let k = 0; k < choices; k++) {
        const s = slot[t * choices + k];
        if (s >= 0) checkSlot('combine_gates_gradient', s, t, count);
        const product = (i: number): number => numbers.mul(from[t * width + i], row[s * width + i]);
        to[t * choices + k] = s < 0 ? 0 : laneSum(width, product);
      }
    }
  },
  wasm: (kernel, [dy, rows, slots], [dGates]) => {
    const [, choices] = dGates.type.shape;
    return kernel.overRows(dy.type.shape, (width, start, token) => {
      for (let k = 0; k < Number(choices); k++) {
        const { slot, choice } = choiceOf(kernel, slots, token, Number(choices), k);
        kernel.storeOne(dGates, kernel.f.constant(0), choice);
        kernel.fn.if(i32.geS(slot, zero), () => {
          kernel.refuseIf(i32.geS(slot, kernel.size(rows.type.shape[0])));
          const from = kernel.fn.let(i32.mul(slot, i32.const(4 * width)));
          const sum = kernel.sum(width, zero, (column, offset) => {
            const row = kernel.load(rows, kernel.in(from, column), offset);
            return kernel.f.mul(kernel.load(dy, kernel.in(start, column), offset), row);
          });
          kernel.storeOne(dGates, sum, choice);
        });
      }
    });
  },
  wgsl: (lowering, [dy, rows, slots], [dGates]) => {
    const [width, choices] = [innerOf(rows.type.shape), innerOf(slots.type.shape)];
    lowering.rows({
      label: 'combine_gates_gradient',
      reads: { dy, rows, slots },
      writes: { d_gates: dGates },
      over: slots.type.shape,
      width,
      canRefuse: true,
      body: (row) => `let slot = slots[row];
let is_sent = slot >= 0 && slot < i32(${sizeText(rows.type.shape[0])});
if (slot >= 0 && !is_sent) { refuse(1u); }
let to_row = row / ${choices}u * ${width}u;
let from_row = select(0u, u32(slot), is_sent) * ${width}u;
var part = 0f;
if (is_sent) { ${row.each('c', 'part += dy[to_row + c] * rows[from_row + c];')} }
let sum = ${row.sum('part')};
${row.once('d_gates[row] = sum;')}`,
    });
  },
});

/** d_rows [S, D] of dy [T, D]: d_rows[slots[t, k]] = gates[t, k] · dy[t], zero where no token points. `rows` gives S. */
export function combineRowsGradient(dy: Value, gates: Value, slots: Value, rows: Value): Value {
  return ofRows([dy, gates, slots, rows], undefined)[0];
}

/** d_gates [T, K] of dy [T, D]: dy[t] · rows[slots[t, k]], 0 for slot −1. */
export function combineGatesGradient(dy: Value, rows: Value, slots: Value): Value {
  return ofGates([dy, rows, slots], undefined)[0];
}
