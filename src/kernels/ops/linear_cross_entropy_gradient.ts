/**
 * The gradient of `linearCrossEntropy`: with P = exp(logits − max) / sum made again chunk by chunk, and G = (P − onehot)
 * times the row's cotangent, dx = G W, and dw adds Gᵀ x of the chunks from the left.
 */
import type { OnnxGraph } from '../cpu/onnx_graph.ts';
import { floats, ints } from '../dtype.ts';
import type { Value } from '../graph.ts';
import { defineOp } from '../op.ts';
import type { Operand } from '../type.ts';
import { chunkSizes, cutRows, isLowerable } from './linear_cross_entropy_chunk.ts';
import { gradientPasses } from './linear_cross_entropy_shader.ts';

const op = defineOp<undefined>({
  name: 'linear_cross_entropy_gradient',
  infer: ([x, w]) => [x, w],
  reference: (inputs, outputs) => differentiate(inputs, outputs),
  wgsl: gradientPasses,
  onnx: (graph, names, { inputs: [{ shape: x }, { shape: w }] }) =>
    isLowerable(x, w) ? lower(graph, names, Number(x[0]), Number(w[0])) : null,
});

/** dx [R, D] and dw [V, D] of d_losses [R], from the forward's operands and its `max` and `sum` [R, 1]. */
export function linearCrossEntropyGradient(
  x: Value,
  w: Value,
  targets: Value,
  max: Value,
  sum: Value,
  dLosses: Value,
): readonly Value[] {
  return op([x, w, targets, max, sum, dLosses], undefined);
}

function lower(graph: OnnxGraph, names: readonly string[], rows: number, vocabulary: number): string[] {
  const [x, w, targets, max, sum, dLosses] = names;
  const column = (name: string) => graph.one('Reshape', [name, graph.int64([rows, 1])]);
  const target = column(targets);
  const counted = graph.one('Cast', [graph.one('GreaterOrEqual', [target, graph.int32([0], [])])], { to: 1 });
  const weight = graph.one('Mul', [column(dLosses), counted]);
  const [xs, targetsOf, maxima, weights] = [x, target, max, weight].map((name) => cutRows(graph, name, rows));
  const factors = cutRows(graph, graph.one('Div', [weight, sum]), rows);
  const tokens = graph.indices(vocabulary);
  let dw = '';
  const dxs = xs.map((chunk, i) => {
    const logits = graph.one('FusedMatMul', [chunk, w], { transB: 1 });
    const exponentials = graph.one('Exp', [graph.one('Sub', [logits, maxima[i]])]);
    const isTarget = graph.one('Cast', [graph.one('Equal', [targetsOf[i], tokens])], { to: 1 });
    const g = graph.one('Sub', [
      graph.one('Mul', [exponentials, factors[i]]),
      graph.one('Mul', [isTarget, weights[i]]),
    ]);
    const part = graph.one('FusedMatMul', [g, chunk], { transA: 1 });
    dw = i === 0 ? part : graph.one('Add', [dw, part]);
    return graph.one('FusedMatMul', [g, w]);
  });
  return [dxs.length === 1 ? dxs[0] : graph.one('Concat', dxs, { axis: 0 }), dw];
}

function differentiate([x, w, targets, max, sum, dLosses]: readonly Operand[], [dx, dw]: readonly Operand[]): void {
  const name = 'linear_cross_entropy_gradient';
  const [x_, w_, max_, sum_, c_] = [x, w, max, sum, dLosses].map((operand) => floats(name, operand.data));
  const target = ints(name, targets.data);
  const dx_ = floats(name, dx.data);
  const dw_ = floats(name, dw.data);
  const [rows, width] = x.shape;
  const [vocabulary] = w.shape;
  const part = new Float32Array(dw_.length);
  dx_.fill(0);
  dw_.fill(0);
  let first = 0;
  for (const size of chunkSizes(rows)) {
    part.fill(0);
    for (let r = first; r < first + size; r++) {
      if (target[r] < 0) continue;
      for (let j = 0; j < vocabulary; j++) {
        let dot = 0;
        for (let i = 0; i < width; i++) dot += x_[r * width + i] * w_[j * width + i];
        const p = Math.exp(Math.fround(dot) - max_[r]) / sum_[r];
        const g = c_[r] * (p - (j === target[r] ? 1 : 0));
        for (let i = 0; i < width; i++) {
          dx_[r * width + i] += g * w_[j * width + i];
          part[j * width + i] += g * x_[r * width + i];
        }
      }
    }
    for (let i = 0; i < part.length; i++) dw_[i] += part[i];
    first += size;
  }
}
