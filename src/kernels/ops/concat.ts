/**
 * Values one after another along one axis; the other axes are equal. Its gradient is a slice for each.
 */
import { axisOf, isEmpty, staticSize } from '../check.ts';
import { copyRuns } from '../cpu/wasm/copy_runs.ts';
import { DTypeError, ShapeError } from '../errors.ts';
import type { Value } from '../graph.ts';
import { defineOp } from '../op.ts';
import { elements, isStatic, maxElements, sameShape, showShape } from '../shape.ts';
import { copyRunsPass } from '../webgpu/wgsl/copies.ts';
import { slice } from './slice.ts';

const op = defineOp<{ axis: number }>({
  name: 'concat',
  infer: (types, { axis }) => {
    const [first] = types;
    let size = 0;
    for (const type of types) {
      if (type.dtype !== first.dtype) throw new DTypeError('concat', first.dtype, type.dtype);
      if (type.shape.length !== first.shape.length || !sameShape(type.shape.with(axis, 0), first.shape.with(axis, 0))) {
        throw new ShapeError(
          'concat',
          `${showShape(first.shape)} and ${showShape(type.shape)} differ beside axis ${axis}`,
        );
      }
      size += staticSize('concat', `axis ${axis}`, type.shape[axis]);
    }
    return [{ dtype: first.dtype, shape: first.shape.with(axis, size) }];
  },
  reference: (inputs, [y], { axis }) => {
    const inner = elements(y.shape.slice(axis + 1));
    const outer = elements(y.shape.slice(0, axis));
    const row = y.shape[axis] * inner;
    const to = y.data;
    let before = 0;
    for (const x of inputs) {
      const from = x.data;
      const length = x.shape[axis] * inner;
      for (let o = 0; o < outer; o++) {
        for (let i = 0; i < length; i++) to[o * row + before + i] = from[o * length + i];
      }
      before += length;
    }
  },
  wasm: (kernel, inputs, [y], { axis }) => {
    const { shape } = y.type;
    if (!isStatic(shape)) return false;
    const inner = elements(shape.slice(axis + 1));
    let before = 0;
    return inputs.every((x) => {
      const length = Number(x.type.shape[axis]) * inner;
      const walk = { count: elements(shape.slice(0, axis)), from: length, to: shape[axis] * inner };
      const first = { from: 0, to: before };
      before += length;
      return copyRuns(kernel, x, y, length, [walk], first);
    });
  },
  wgsl: (lowering, inputs, [y], { axis }) => {
    const inner = maxElements(y.type.shape.slice(axis + 1));
    const toStep = Number(y.type.shape[axis]) * inner;
    let toStart = 0;
    for (const from of inputs) {
      const length = Number(from.type.shape[axis]) * inner;
      const places = { length, fromStep: length, fromStart: 0, toStep, toStart };
      copyRunsPass(lowering, y.type.shape.slice(0, axis), { label: 'concat', from, to: y, ...places });
      toStart += length;
    }
  },
  gradient: ({ inputs, cotangents: [c] }, { axis }) => {
    let start = 0;
    return inputs.map((x) => {
      const end = start + Number(x.type.shape[axis]);
      const dx = c && slice(c, axis, start, end);
      start = end;
      return dx;
    });
  },
  onnx: (graph, inputs, types, { axis }) =>
    types.inputs.some((type) => isEmpty(type.shape) || type.dtype === 'bf16')
      ? null
      : [graph.one('Concat', inputs, { axis })],
});

/** `xs` joined along `axis` (negative: from the back). Throws `ShapeError` or `DTypeError` when they do not fit. */
export function concat(xs: readonly Value[], axis: number): Value {
  const rank = xs.at(0)?.type.shape.length ?? 0;
  return op(xs, { axis: axisOf('concat', axis, rank) })[0];
}
