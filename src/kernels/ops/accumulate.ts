/**
 * state += x, in place, one fp32 addition an element. State is written by the last ops of a program only.
 */
import { requireFloats } from '../check.ts';
import { floats } from '../dtype.ts';
import { ShapeError } from '../errors.ts';
import type { Value } from '../graph.ts';
import { defineOp } from '../op.ts';
import { sameShape, showShape } from '../shape.ts';

const op = defineOp<undefined>({
  name: 'accumulate',
  writes: [0],
  infer: ([state, x]) => {
    requireFloats('accumulate', [state, x]);
    if (!sameShape(state.shape, x.shape)) {
      throw new ShapeError('accumulate', `state ${showShape(state.shape)} and x ${showShape(x.shape)} differ`);
    }
    return [];
  },
  reference: ([state, x]) => {
    const to = floats('accumulate', state.data);
    const from = floats('accumulate', x.data);
    for (let i = 0; i < to.length; i++) to[i] += from[i];
  },
  wasm: (kernel, [state, x]) => {
    if (!kernel.takes(state.type.shape)) return false;
    kernel.each(state.type.shape, (at, offset) => {
      kernel.store(state, kernel.f.add(kernel.load(state, at, offset), kernel.load(x, at, offset)), at, offset);
    });
    return true;
  },
  wgsl: (lowering, [state, x]) =>
    lowering.each({
      label: 'accumulate',
      reads: { x },
      writes: { state },
      over: state.type.shape,
      body: 'state[i] += x[i];',
    }),
});

/** Adds `x` to `state`, which must be declared as state. Throws `ShapeError` when their shapes differ. */
export function accumulate(state: Value, x: Value): void {
  op([state, x], undefined);
}
