/**
 * What a token gets back from its experts: y[t] = Σk gates[t, k] · rows[slots[t, k]], added in the order of k, in fp32.
 * Slot −1 (a dropped choice) contributes nothing. T tokens, K choices, S slots (rows that came back), D hidden.
 */
import { requireDType, requireFloats, requireRank } from '../check.ts';
import { i32 } from '../cpu/wasm/instructions.ts';
import { floats, ints } from '../dtype.ts';
import { ShapeError } from '../errors.ts';
import type { Value } from '../graph.ts';
import { defineOp } from '../op.ts';
import { sameShape, showShape } from '../shape.ts';
import { innerOf } from '../webgpu/lowering.ts';
import { sizeText } from '../webgpu/pass.ts';
import { checkSlot, combineGatesGradient, combineRowsGradient, eachChoice } from './combine_gradient.ts';

const op = defineOp<undefined>({
  name: 'combine',
  infer: ([rows, gates, slots]) => {
    requireFloats('combine', [rows, gates]);
    requireDType('combine', slots, 'i32');
    requireRank('combine', 'rows', rows, 2);
    requireRank('combine', 'gates', gates, 2);
    if (!sameShape(gates.shape, slots.shape)) {
      throw new ShapeError('combine', `gates ${showShape(gates.shape)} and slots ${showShape(slots.shape)} differ`);
    }
    return [{ dtype: 'f32', shape: [gates.shape[0], rows.shape[1]] }];
  },
  reference: ([rows, gates, slots], [y]) => {
    const from = floats('combine', rows.data);
    const gate = floats('combine', gates.data);
    const slot = ints('combine', slots.data);
    const to = floats('combine', y.data);
    const [tokens, choices] = gates.shape;
    const [count, width] = rows.shape;
    to.fill(0);
    for (let t = 0; t < tokens; t++) {
      const target = t * width;
      for (let k = 0; k < choices; k++) {
        const s = slot[t * choices + k];
        if (s < 0) continue;
        checkSlot('combine', s, t, count);
        const g = gate[t * choices + k];
        const source = s * width;
        for (let i = 0; i < width; i++) to[target + i] += Math.fround(g * from[source + i]);
      }
    }
  },
  wasm: (kernel, [rows, gates, slots], [y]) => {
    if (!kernel.takes(y.type.shape)) return false;
    kernel.fill(y, 0);
    return eachChoice(kernel, y.type.shape, gates, slots, ({ slot, choice, width, start }) => {
      kernel.refuseIf(i32.geS(slot, kernel.size(rows.type.shape[0])));
      const gate = kernel.splat(gates, choice);
      const from = kernel.fn.let(i32.mul(slot, i32.const(4 * width)));
      kernel.across(width, (column, offset) => {
        const at = kernel.in(start, column);
        const part = kernel.f.mul(gate, kernel.load(rows, kernel.in(from, column), offset));
        kernel.store(y, kernel.f.add(kernel.load(y, at, offset), part), at, offset);
      });
    });
  },
  wgsl: (lowering, [rows, gates, slots], [y]) => {
    const [width, choices] = [innerOf(rows.type.shape), innerOf(gates.type.shape)];
    lowering.each({
      label: 'combine',
      reads: { rows, gates, slots },
      writes: { y },
      over: y.type.shape,
      canRefuse: true,
      body: `var sum = 0f;
for (var k = i / ${width}u * ${choices}u; k < (i / ${width}u + 1u) * ${choices}u; k++) {
  let slot = slots[k];
  if (slot < 0) { continue; }
  if (slot >= i32(${sizeText(rows.type.shape[0])})) { refuse(1u); continue; }
  sum += gates[k] * rows[u32(slot) * ${width}u + i % ${width}u];
}
y[i] = sum;`,
    });
  },
  gradient: ({ inputs: [rows, gates, slots], cotangents: [c] }) => [
    c && combineRowsGradient(c, gates, slots, rows),
    c && combineGatesGradient(c, rows, slots),
    null,
  ],
});

/**
 * rows f32 [S, D], gates f32 [T, K], slots i32 [T, K] → [T, D]; S and T may be dynamic. Throws `ShapeError` when it runs
 * into a slot of S or more.
 */
export function combine(rows: Value, gates: Value, slots: Value): Value {
  return op([rows, gates, slots], undefined)[0];
}
