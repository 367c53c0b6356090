/**
 * Zeros before and after the elements of one axis. Its gradient is a slice.
 */
import { axisOf, isEmpty, requireFloats, staticSize } from '../check.ts';
import { floats } from '../dtype.ts';
import { ShapeError } from '../errors.ts';
import type { Value } from '../graph.ts';
import { defineOp } from '../op.ts';
import { elements, maxElements } from '../shape.ts';
import { copyRunsPass, zeroPass } from '../webgpu/wgsl/copies.ts';
import { slice } from './slice.ts';

interface Attributes {
  readonly axis: number;
  readonly before: number;
  readonly after: number;
}

const op = defineOp<Attributes>({
  name: 'pad',
  infer: ([x], { axis, before, after }) => {
    requireFloats('pad', [x]);
    const size = staticSize('pad', `axis ${axis}`, x.shape[axis]);
    if (before < 0 || after < 0) throw new ShapeError('pad', `cannot add ${before} and ${after} elements`);
    return [{ dtype: 'f32', shape: x.shape.with(axis, before + size + after) }];
  },
  reference: ([x], [y], { axis, before }) => {
    const inner = elements(x.shape.slice(axis + 1));
    const outer = elements(x.shape.slice(0, axis));
    const from = floats('pad', x.data);
    const to = floats('pad', y.data);
    const length = x.shape[axis] * inner;
    to.fill(0);
    for (let o = 0; o < outer; o++) {
      const target = (o * y.shape[axis] + before) * inner;
      for (let i = 0; i < length; i++) to[target + i] = from[o * length + i];
    }
  },
  wgsl: (lowering, [x], [y], { axis, before }) => {
    const inner = maxElements(x.type.shape.slice(axis + 1));
    const length = Number(x.type.shape[axis]) * inner;
    zeroPass(lowering, 'pad, zeros', y);
    const toStep = Number(y.type.shape[axis]) * inner;
    const places = { length, fromStep: length, fromStart: 0, toStep, toStart: before * inner };
    copyRunsPass(lowering, x.type.shape.slice(0, axis), { label: 'pad', from: x, to: y, ...places });
  },
  gradient: ({ inputs: [x], cotangents: [c] }, { axis, before }) => [
    c && slice(c, axis, before, before + Number(x.type.shape[axis])),
  ],
  onnx: (graph, [x], { inputs: [type] }, { axis, before, after }) =>
    isEmpty(type.shape)
      ? null
      : [graph.one('Pad', [x, graph.int64([before, after]), graph.float32([0], []), graph.int64([axis])])],
});

/** `x` with `before` and `after` zeros along `axis` (negative: from the back). */
export function pad(x: Value, axis: number, before: number, after: number): Value {
  return op([x], { axis: axisOf('pad', axis, x.type.shape.length), before, after })[0];
}
