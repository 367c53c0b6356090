/**
 * The elements from `start` to before `end` of one axis; and zeros around the elements of one axis. Each is the other's
 * gradient: what a slice left out gets zeros, and the zeros of a pad give nothing back.
 */
import { axisOf, isEmpty, requireFloats, staticSize } from '../check.ts';
import { copyRuns } from '../cpu/wasm/copy_runs.ts';
import { floats } from '../dtype.ts';
import { ShapeError } from '../errors.ts';
import type { Value } from '../graph.ts';
import { defineOp } from '../op.ts';
import { elements, isStatic, maxElements, showShape } from '../shape.ts';
import { copyRunsPass, zeroPass } from '../webgpu/wgsl/copies.ts';

interface Range {
  readonly axis: number;
  readonly start: number;
  readonly end: number;
}

interface Margins {
  readonly axis: number;
  readonly before: number;
  readonly after: number;
}

const sliceOp = defineOp<Range>({
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

const padOp = defineOp<Margins>({
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

/** x[..., start:end, ...] along `axis` (negative: from the back); all of it is x itself. Throws `ShapeError` outside of it. */
export function slice(x: Value, axis: number, start: number, end: number): Value {
  if (start === 0 && end === x.type.shape.at(axis)) return x;
  return sliceOp([x], { axis: axisOf('slice', axis, x.type.shape.length), start, end })[0];
}

/** `x` with `before` and `after` zeros along `axis` (negative: from the back). */
export function pad(x: Value, axis: number, before: number, after: number): Value {
  return padOp([x], { axis: axisOf('pad', axis, x.type.shape.length), before, after })[0];
}
