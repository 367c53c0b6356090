/**
 * Cross-entropy of a linear head without its logits: losses = −log softmax(x Wᵀ)[target], in nats, by chunks of 512
 * rows. The chunks are part of the definition: the weight gradient folds them from the left. Target −1 is ignored: loss
 * 0, no gradient. R rows, D hidden, V vocabulary.
 *
 * Two ops: the first finds each row's maximum, sum of exponentials and target logit; the second takes the logarithm, on
 * the host, since onnxruntime's gives other bits at other places.
 */
import { requireDType, requireFloats, requireRank, staticSize } from '../check.ts';
import type { OnnxGraph } from '../cpu/onnx_graph.ts';
import { floats, ints } from '../dtype.ts';
import { ShapeError } from '../errors.ts';
import type { Value } from '../graph.ts';
import { defineOp } from '../op.ts';
import type { Type } from '../type.ts';
import { maxElements, sameDim, showShape } from '../shape.ts';
import { concat } from './concat.ts';
import { cutRows, isLowerable, sumsOf } from './linear_cross_entropy_chunk.ts';
import { linearCrossEntropyGradient } from './linear_cross_entropy_gradient.ts';
import { lossesPass, statisticsPasses } from './linear_cross_entropy_shader.ts';
import { slice } from './slice.ts';

const statistics = defineOp<undefined>({
  name: 'linear_cross_entropy_statistics',
  infer: ([x, w, targets]) => {
    checkOperands(x, w, targets);
    const column: Type = { dtype: 'f32', shape: [x.shape[0], 1] };
    return [column, column, column];
  },
  reference: ([x, w, targets], [max, sum, chosen]) => {
    const x_ = floats('linear_cross_entropy', x.data);
    const w_ = floats('linear_cross_entropy', w.data);
    const target = ints('linear_cross_entropy', targets.data);
    const [max_, sum_, chosen_] = [max, sum, chosen].map((y) => floats('linear_cross_entropy', y.data));
    const [rows, width] = x.shape;
    const [vocabulary] = w.shape;
    const logits = new Float32Array(vocabulary);
    for (let r = 0; r < rows; r++) {
      let top = -Infinity;
      for (let j = 0; j < vocabulary; j++) {
        let dot = 0;
        for (let i = 0; i < width; i++) dot += x_[r * width + i] * w_[j * width + i];
        logits[j] = dot;
        top = Math.max(top, logits[j]);
      }
      let total = 0;
      for (let j = 0; j < vocabulary; j++) total += Math.exp(logits[j] - top);
      max_[r] = top;
      sum_[r] = total;
      chosen_[r] = logits[target[r] < 0 ? vocabulary - 1 : Math.min(target[r], vocabulary - 1)];
    }
  },
  onnx: (graph, names, { inputs: [{ shape: x }, { shape: w }] }) =>
    isLowerable(x, w) ? lower(graph, names, Number(x[0]), Number(w[0])) : null,
  wgsl: statisticsPasses,
  flops: ({ inputs: [x, w] }) => 2 * maxElements(x.shape) * maxElements([w.shape[0]]),
});

// x and w are operands only for the gradient's sake.
const finish = defineOp<undefined>({
  name: 'linear_cross_entropy',
  infer: ([x]) => [{ dtype: 'f32', shape: [x.shape[0]] }],
  reference: ([, w, targets, max, sum, chosen], [losses]) => {
    const target = ints('linear_cross_entropy', targets.data);
    const [max_, sum_, chosen_] = [max, sum, chosen].map((y) => floats('linear_cross_entropy', y.data));
    const losses_ = floats('linear_cross_entropy', losses.data);
    for (let r = 0; r < losses_.length; r++) {
      if (target[r] < -1 || target[r] >= w.shape[0]) {
        throw new ShapeError(
          'linear_cross_entropy',
          `target ${target[r]} of row ${r} is outside of ${w.shape[0]} tokens`,
        );
      }
      losses_[r] = target[r] < 0 ? 0 : Math.log(sum_[r]) + (max_[r] - chosen_[r]);
    }
  },
  wgsl: lossesPass,
  gradient: ({ inputs: [x, w, targets, max, sum], cotangents: [c] }) => {
    if (c === null) return [];
    const [dx, dw] = linearCrossEntropyGradient(x, w, targets, max, sum, c);
    return [dx, dw, null, null, null, null];
  },
});

/**
 * x [R, D], w [V, D], targets i32 [R] → losses [R] in nats. R, D and V are fixed. Throws `ShapeError` when it runs into a
 * target outside of −1 … V − 1.
 */
export function linearCrossEntropy(x: Value, w: Value, targets: Value): Value {
  // One row runs as two: a matmul of a single row has other bits.
  if (x.type.shape[0] === 1) {
    return slice(linearCrossEntropy(concat([x, x], 0), w, concat([targets, targets], 0)), 0, 0, 1);
  }
  const [max, sum, chosen] = statistics([x, w, targets], undefined);
  return finish([x, w, targets, max, sum, chosen], undefined)[0];
}

function checkOperands(x: Type, w: Type, targets: Type): void {
  const op = 'linear_cross_entropy';
  requireFloats(op, [x, w]);
  requireDType(op, targets, 'i32');
  requireRank(op, 'x', x, 2);
  requireRank(op, 'w', w, 2);
  requireRank(op, 'targets', targets, 1);
  staticSize(op, 'the number of rows', x.shape[0]);
  staticSize(op, 'the vocabulary', w.shape[0]);
  if (!sameDim(x.shape[1], w.shape[1])) {
    throw new ShapeError(op, `x ${showShape(x.shape)} and w ${showShape(w.shape)} differ in width`);
  }
  if (!sameDim(x.shape[0], targets.shape[0])) {
    throw new ShapeError(op, `x ${showShape(x.shape)} and targets ${showShape(targets.shape)} differ in rows`);
  }
}

function lower(graph: OnnxGraph, [x, w, targets]: readonly string[], rows: number, vocabulary: number): string[] {
  // Clipped, so that an impossible target is refused by the second op, in its own words.
  const known = graph.one('Clip', [targets, graph.int32([-1], []), graph.int32([vocabulary - 1], [])]);
  const column = graph.one('Reshape', [known, graph.int64([rows, 1])]);
  const xs = cutRows(graph, x, rows);
  const picks = cutRows(graph, column, rows);
  const parts = xs.map((chunk, i) => {
    const logits = graph.one('FusedMatMul', [chunk, w], { transB: 1 });
    const max = graph.one('ReduceMax', [logits, graph.int64([1])], { keepdims: 1 });
    const exponentials = graph.one('Exp', [graph.one('Sub', [logits, max])]);
    return [max, sumsOf(graph, exponentials, vocabulary), graph.one('GatherElements', [logits, picks[i]], { axis: 1 })];
  });
  if (parts.length === 1) return parts[0];
  return [0, 1, 2].map((k) =>
    graph.one(
      'Concat',
      parts.map((part) => part[k]),
      { axis: 0 },
    ),
  );
}
