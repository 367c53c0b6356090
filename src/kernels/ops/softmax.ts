/**
 * y = exp(x − max x) / Σ exp(x − max x) over the last axis. The gradient is one op over y and dy.
 */
import { isEmpty, requireFloats } from '../check.ts';
import { floats } from '../dtype.ts';
import type { Value } from '../graph.ts';
import { defineOp } from '../op.ts';

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
      for (let i = 1; i < width; i++) max = Math.max(max, from[at + i]);
      let sum = 0;
      for (let i = 0; i < width; i++) sum += to[at + i] = Math.exp(from[at + i] - max);
      for (let i = 0; i < width; i++) to[at + i] /= sum;
    }
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
      let dot = 0;
      for (let i = at; i < at + width; i++) dot += p[i] * c[i];
      for (let i = at; i < at + width; i++) to[i] = p[i] * (c[i] - dot);
    }
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
