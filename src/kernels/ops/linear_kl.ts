/**
 * Distillation by logits of linear heads, without the logits (arXiv 2408.11796 §2.3): losses = KL(softmax(x_T w_Tᵀ / τ) ‖
 * softmax(x_S w_Sᵀ / τ)) of a frozen teacher T and a student S, row by row, in nats, by chunks of 512 rows as in
 * `linear_cross_entropy`. A row whose target is below 0 is ignored: loss 0, no gradient. R rows, V vocabulary; hidden widths differ.
 *
 * Two ops: the first finds for each row of both heads the maximum and the sum of exponentials, and how far logits are apart on the
 * teacher's average; the second takes logarithms, on the host, since onnxruntime's gives other bits at other places.
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
import { linearKlGradient } from './linear_kl_gradient.ts';
import { logitsInto, logitsNode, type KlAttributes } from './linear_kl_logits.ts';
import { klLossesPass, klStatisticsPasses } from './linear_kl_shader.ts';
import { slice } from './slice.ts';

/** Rows and matrix of a linear head: x [R, D], w [V, D]. */
export interface LinearHead {
  readonly x: Value;
  readonly w: Value;
}

export interface LinearKlOptions {
  /** τ, by which logits of both are divided. Default 1. The loss is not multiplied by τ². */
  readonly temperature?: number | undefined;
  /** i32 [R]; rows with a number below 0 are ignored. */
  readonly targets?: Value | undefined;
}

const statistics = defineOp<{ readonly temperature: number }>({
  name: 'linear_kl_statistics',
  infer: ([x]) => {
    const column: Type = { dtype: 'f32', shape: [x.shape[0], 1] };
    return [column, column, column, column, column];
  },
  reference: ([x, w, xT, wT], outputs, { temperature }) => {
    const [max, sum, maxT, sumT, gap] = outputs.map(({ data }) => floats('linear_kl', data));
    const [rows] = x.shape;
    const [vocabulary] = w.shape;
    const [logits, logitsT] = [new Float32Array(vocabulary), new Float32Array(vocabulary)];
    for (let r = 0; r < rows; r++) {
      max[r] = logitsInto(logits, x, w, r, temperature);
      maxT[r] = logitsInto(logitsT, xT, wT, r, temperature);
      let [total, totalT, apart] = [0, 0, 0];
      for (let j = 0; j < vocabulary; j++) {
        const [below, belowT] = [logits[j] - max[r], logitsT[j] - maxT[r]];
        total += Math.exp(below);
        totalT += Math.exp(belowT);
        apart += Math.exp(belowT) * (belowT - below);
      }
      [sum[r], sumT[r], gap[r]] = [total, totalT, apart];
    }
  },
  onnx: (graph, names, { inputs: [{ shape: x }, { shape: w }, { shape: xT }, { shape: wT }] }, { temperature }) =>
    isLowerable(x, w) && isLowerable(xT, wT) ? lower(graph, names, Number(x[0]), Number(w[0]), temperature) : null,
  wgsl: klStatisticsPasses,
  flops: ({ inputs: [x, w, , wT] }) => 2 * maxElements([x.shape[0]]) * (maxElements(w.shape) + maxElements(wT.shape)),
});

// Heads and maxima are operands only for the gradient's sake.
const finish = defineOp<KlAttributes>({
  name: 'linear_kl',
  infer: ([x]) => [{ dtype: 'f32', shape: [x.shape[0]] }],
  reference: (inputs, [losses], { hasTargets }) => {
    const [sum, sumT, gap] = [inputs[5], inputs[7], inputs[8]].map(({ data }) => floats('linear_kl', data));
    const targets = hasTargets ? ints('linear_kl', inputs[9].data) : null;
    const losses_ = floats('linear_kl', losses.data);
    for (let r = 0; r < losses_.length; r++) {
      const isIgnored = targets !== null && targets[r] < 0;
      losses_[r] = isIgnored ? 0 : gap[r] / sumT[r] + (Math.log(sum[r]) - Math.log(sumT[r]));
    }
  },
  wgsl: klLossesPass,
  gradient: ({ inputs, cotangents: [c] }, attributes) =>
    c === null ? [] : linearKlGradient(inputs.slice(0, 8), c, inputs.slice(9), attributes),
});

/**
 * Losses [R] of heads of one vocabulary, in nats; gradients go to the student's x and w only. R, D and V are fixed. Throws
 * `ShapeError` when heads or targets do not fit, or when the temperature is not above 0.
 */
export function linearKl(
  student: LinearHead,
  teacher: LinearHead,
  { temperature = 1, targets }: LinearKlOptions = {},
): Value {
  checkOperands(student, teacher, targets);
  if (!(temperature > 0 && Number.isFinite(temperature))) {
    throw new ShapeError('linear_kl', `the temperature is ${temperature}, needs to be above 0`);
  }
  // One row runs as two: a matmul of a single row has other bits.
  if (student.x.type.shape[0] === 1) {
    const twice = ({ x, w }: LinearHead): LinearHead => ({ x: concat([x, x], 0), w });
    const both = targets && concat([targets, targets], 0);
    return slice(linearKl(twice(student), twice(teacher), { temperature, targets: both }), 0, 0, 1);
  }
  const operands = [student.x, student.w, teacher.x, teacher.w];
  const found = statistics(operands, { temperature });
  const hasTargets = targets !== undefined;
  return finish([...operands, ...found, ...(hasTargets ? [targets] : [])], { temperature, hasTargets })[0];
}

function checkOperands(student: LinearHead, teacher: LinearHead, targets: Value | undefined): void {
  const op = 'linear_kl';
  for (const [whose, { x, w }] of Object.entries({ student, teacher })) {
    requireFloats(op, [x.type, w.type]);
    requireRank(op, `x of the ${whose}`, x.type, 2);
    requireRank(op, `w of the ${whose}`, w.type, 2);
    staticSize(op, 'the number of rows', x.type.shape[0]);
    staticSize(op, 'the vocabulary', w.type.shape[0]);
    if (sameDim(x.type.shape[1], w.type.shape[1])) continue;
    throw new ShapeError(
      op,
      `x ${showShape(x.type.shape)} and w ${showShape(w.type.shape)} of the ${whose} differ in width`,
    );
  }
  const [ofRows, ofWords] = [
    [student.x, teacher.x],
    [student.w, teacher.w],
  ].map((values) => values.map(({ type }) => type.shape));
  if (!sameDim(ofRows[0][0], ofRows[1][0])) {
    throw new ShapeError(
      op,
      `x ${showShape(ofRows[0])} of the student and ${showShape(ofRows[1])} of the teacher differ in rows`,
    );
  }
  if (!sameDim(ofWords[0][0], ofWords[1][0])) {
    const shapes = `w ${showShape(ofWords[0])} of the student and ${showShape(ofWords[1])} of the teacher`;
    throw new ShapeError(op, `${shapes} differ in vocabulary`);
  }
  if (targets === undefined) return;
  requireDType(op, targets.type, 'i32');
  requireRank(op, 'targets', targets.type, 1);
  if (sameDim(targets.type.shape[0], ofRows[0][0])) return;
  throw new ShapeError(op, `x ${showShape(ofRows[0])} and targets ${showShape(targets.type.shape)} differ in rows`);
}

function lower(
  graph: OnnxGraph,
  [x, w, xT, wT]: readonly string[],
  rows: number,
  vocabulary: number,
  temperature: number,
): string[] {
  const [students, teachers] = [x, xT].map((name) => cutRows(graph, name, rows));
  const parts = students.map((chunk, i) => {
    const heads = [
      [chunk, w],
      [teachers[i], wT],
    ].map(([ofChunk, matrix]) => {
      const logits = logitsNode(graph, ofChunk, matrix, temperature);
      const max = graph.one('ReduceMax', [logits, graph.int64([1])], { keepdims: 1 });
      const below = graph.one('Sub', [logits, max]);
      const exponentials = graph.one('Exp', [below]);
      return { max, below, exponentials, sum: sumsOf(graph, exponentials, vocabulary) };
    });
    const [student, teacher] = heads;
    const apart = graph.one('Mul', [teacher.exponentials, graph.one('Sub', [teacher.below, student.below])]);
    return [...heads.flatMap(({ max, sum }) => [max, sum]), sumsOf(graph, apart, vocabulary)];
  });
  if (parts.length === 1) return parts[0];
  return parts[0].map((_, k) =>
    graph.one(
      'Concat',
      parts.map((part) => part[k]),
      { axis: 0 },
    ),
  );
}
