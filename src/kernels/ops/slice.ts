/**
 * The elements from `start` to before `end` of one axis. Its gradient pads with zeros.
 */
import { axisOf, isEmpty, staticSize } from '../check.ts';
import { copyRuns } from '../cpu/wasm/copy_runs.ts';
import { ShapeError } from '../errors.ts';
import type { Value } from '../graph.ts';
import { defineOp } from '../op.ts';
import { elements, isStatic, maxElements, showShape } from '../shape.ts';
import { copyRunsPass } from '../webgpu/wgsl/copies.ts';
import { pad } from './pad.ts';

interface Attributes {
  readonly axis: number;
  readonly start: number;
  readonly end: number;
}

const op = defineOp<Attributes>({
  name: 'slice',
  infer: ([x], { axis, start, end }) => {
    const size = staticSize('slice', `axis ${axis}`, x.shape[axis]);
    if (start < 0 || end < start || end > size) {
      throw new ShapeError('slice', `${start} to ${end} is not inside axis ${axis} of ${showShape(x.shape)}`);
    }
    return [{ dtype: x.dtype, shape: x.shape.with(axis, end - start) }];
  },
  reference: ([x], [y], { axis, start, end }) => {
    const inner = elements(x.shape.slice(axis + 1));
    const outer = elements(x.shape.slice(0, axis));
    const from = x.data;
    const to = y.data;
    const length = (end - start) * inner;
    for (let o = 0; o < outer; o++) {
      const source = (o * x.shape[axis] + start) * inner;
      for (let i = 0; i < length; i++) to[o * length + i] = from[source + i];
    }
  },
  wasm: (kernel, [x], [y], { axis, start, end }) => {
    const { shape } = x.type;
    if (!isStatic(shape)) return false;
    const inner = elements(shape.slice(axis + 1));
    const length = (end - start) * inner;
    const walk = { count: elements(shape.slice(0, axis)), from: shape[axis] * inner, to: length };
    return copyRuns(kernel, x, y, length, [walk], { from: start * inner, to: 0 });
  },
  wgsl: (lowering, [x], [y], { axis, start, end }) => {
    const inner = maxElements(x.type.shape.slice(axis + 1));
    const length = (end - start) * inner;
    const fromStep = Number(x.type.shape[axis]) * inner;
    const places = { length, fromStep, fromStart: start * inner, toStep: length, toStart: 0 };
    copyRunsPass(lowering, x.type.shape.slice(0, axis), { label: 'slice', from: x, to: y, ...places });
  },
  gradient: ({ inputs: [x], cotangents: [c] }, { axis, start, end }) => [
    c && pad(c, axis, start, Number(x.type.shape[axis]) - end),
  ],
  onnx: (graph, [x], { outputs: [y] }, { axis, start, end }) =>
    isEmpty(y.shape) || y.dtype === 'bf16'
      ? null
      : [graph.one('Slice', [x, graph.int64([start]), graph.int64([end]), graph.int64([axis])])],
});

/** x[..., start:end, ...] along `axis` (negative: from the back); all of it is x itself. Throws `ShapeError` outside of it. */
export function slice(x: Value, axis: number, start: number, end: number): Value {
  if (start === 0 && end === x.type.shape.at(axis)) return x;
  return op([x], { axis: axisOf('slice', axis, x.type.shape.length), start, end })[0];
}
