/**
 * y = exp(x − max x) / Σ exp(x − max x) over the last axis. The gradient is one op over y and dy.
 */
import { numbers } from '../arithmetic.ts';
import { isEmpty, requireFloats } from '../check.ts';
import type { I32 } from '../cpu/wasm/instructions.ts';
import { floats } from '../dtype.ts';
import { exp } from '../elementary.ts';
import type { Value } from '../graph.ts';
import { laneSum } from '../lane_sum.ts';
import { defineOp } from '../op.ts';
import { maxElements } from '../shape.ts';

const op = defineOp<undefined>({
  name: 'softmax',
  infer: ([x]) => {
    requireFloats('softmax', [x]);
    return [x];
  },
  reference: ([x], [y]) => {
    const from = floats('softmax', x.data);
    const to = floats('softmax', y.data);
    const width = x.shape.at(-1) ?? 1;
    for (let at = 0; at + width <= from.length && width > 0; at += width) {
      let max = from[at];
      for (let i = 1; i < width; i++) max = numbers.larger(from[at + i], max);
      for (let i = 0; i < width; i++) to[at + i] = exp(numbers, numbers.sub(from[at + i], max));
      const sum = laneSum(width, (i) => to[at + i]);
      for (let i = 0; i < width; i++) to[at + i] = numbers.div(to[at + i], sum);
    }
  },
  wasm: (kernel, [x], [y]) => {
    const { f } = kernel;
    return kernel.overRows(x.type.shape, (width, start) => {
      const max = kernel.max(width, start, (at, offset) => kernel.load(x, at, offset));
      const sum = kernel.sum(width, start, (at, offset) => {
        const exponential = exp(f, f.sub(kernel.load(x, at, offset), max));
        kernel.store(y, exponential, at, offset);
        return exponential;
      });
      const store = (at: I32, offset: number) => kernel.store(y, f.div(kernel.load(y, at, offset), sum), at, offset);
      kernel.across(width, store, start);
    });
  },
  wgsl: (lowering, [x], [y]) => {
    const width = maxElements(x.type.shape.slice(-1));
    lowering.rows({
      label: 'softmax',
      reads: { x },
      writes: { y },
      over: x.type.shape.slice(0, -1),
      width,
      body: (row) => `let at = row * ${width}u;
var largest = x[at];
${row.each('c', 'largest = max(largest, x[at + c]);')}
let top = ${row.max('largest')};
var part = 0f;
${row.each('c', 'part += exp(x[at + c] - top);')}
let total = ${row.sum('part')};
${row.each('c', 'y[at + c] = exp(x[at + c] - top) / total;')}`,
    });
  },
  gradient: ({ outputs: [y], cotangents: [c] }) => [c && softmaxGradient(y, c)],
  onnx: (graph, [x], { inputs: [type] }) =>
    isEmpty(type.shape) || type.shape.length === 0 ? null : [graph.one('Softmax', [x], { axis: -1 })],
});

const gradientOp = defineOp<undefined>({
  name: 'softmax_gradient',
  infer: ([y]) => [y],
  reference: ([y, dy], [dx]) => {
    const p = floats('softmax_gradient', y.data);
    const c = floats('softmax_gradient', dy.data);
    const to = floats('softmax_gradient', dx.data);
    const width = y.shape.at(-1) ?? 1;
    for (let at = 0; at + width <= p.length && width > 0; at += width) {
      const dot = laneSum(width, (i) => numbers.mul(p[at + i], c[at + i]));
      for (let i = at; i < at + width; i++) to[i] = numbers.mul(p[i], numbers.sub(c[i], dot));
    }
  },
  wasm: (kernel, [y, dy], [dx]) => {
    const { f } = kernel;
    return kernel.overRows(y.type.shape, (width, start) => {
      const dot = kernel.sum(width, start, (at, offset) =>
        f.mul(kernel.load(y, at, offset), kernel.load(dy, at, offset)),
      );
      const store = (at: I32, offset: number) => {
        const [p, c] = [kernel.load(y, at, offset), kernel.load(dy, at, offset)];
        kernel.store(dx, f.mul(p, f.sub(c, dot)), at, offset);
      };
      kernel.across(width, store, start);
    });
  },
  wgsl: (lowering, [y, dy], [dx]) => {
    const width = maxElements(y.type.shape.slice(-1));
    lowering.rows({
      label: 'softmax_gradient',
      reads: { y, dy },
      writes: { dx },
      over: y.type.shape.slice(0, -1),
      width,
      body: (row) => `let at = row * ${width}u;
var part = 0f;
${row.each('c', 'part += y[at + c] * dy[at + c];')}
let pull = ${row.sum('part')};
${row.each('c', 'dx[at + c] = y[at + c] * (dy[at + c] - pull);')}`,
    });
  },
});

/** Probabilities over the last axis of `x`. */
export function softmax(x: Value): Value {
  return op([x], undefined)[0];
}

/** dx = y · (dy − Σ y · dy), the sum over the last axis. */
export function softmaxGradient(y: Value, dy: Value): Value {
  return gradientOp([y, dy], undefined)[0];
}
