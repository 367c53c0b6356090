/**
 * The two gradients of `combine`: of the rows, a gather by slot scaled by the gate; of the gates, a dot product for each
 * choice. Shape suffixes as in `combine.ts`.
 */
import { floats, ints } from '../dtype.ts';
import type { Value } from '../graph.ts';
import { defineOp } from '../op.ts';

const ofRows = defineOp<undefined>({
  name: 'combine_rows_gradient',
  infer: ([, , , rows]) => [rows],
  reference: ([dy, gates, slots], [dRows]) => {
    const from = floats('combine_rows_gradient', dy.data);
    const gate = floats('combine_rows_gradient', gates.data);
    const slot = ints('combine_rows_gradient', slots.data);
    const to = floats('combine_rows_gradient', dRows.data);
    const [tokens, choices] = gates.shape;
    const [, width] = dy.shape;
    to.fill(0);
    for (let t = 0; t < tokens; t++) {
      const source = t * width;
      for (let k = 0; k < choices; k++) {
        const s = slot[t * choices + k];
        if (s < 0) continue;
        const g = gate[t * choices + k];
        const target = s * width;
        for (let i = 0; i < width; i++) to[target + i] += Math.fround(g * from[source + i]);
      }
    }
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
    const [, width] = dy.shape;
    for (let t = 0; t < tokens; t++) {
      for (let k = 0; k < choices; k++) {
        const s = slot[t * choices + k];
        let sum = 0;
        if (s >= 0) for (let i = 0; i < width; i++) sum += from[t * width + i] * row[s * width + i];
        to[t * choices + k] = sum;
      }
    }
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
