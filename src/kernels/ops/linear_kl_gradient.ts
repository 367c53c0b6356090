/**
 * The gradient of `linearKl` to the student: with P = exp(logits − max) / sum of both heads made again chunk by chunk, and
 * G = (P_S − P_T) / τ times the row's cotangent, dx = G w, and dw adds Gᵀ x of the chunks from the left.
 */
import type { OnnxGraph } from '../cpu/onnx_graph.ts';
import { floats, ints } from '../dtype.ts';
import type { Value } from '../graph.ts';
import { defineOp } from '../op.ts';
import type { Operand } from '../type.ts';
import { chunkSizes, cutRows, isLowerable } from './linear_cross_entropy_chunk.ts';
import { logitsInto, logitsNode, type KlAttributes } from './linear_kl_logits.ts';
import { klGradientPasses } from './linear_kl_shader.ts';

const op = defineOp<KlAttributes>({
  name: 'linear_kl_gradient',
  infer: ([x, w]) => [x, w],
  reference: (inputs, outputs, attributes) => differentiate(inputs, outputs, attributes),
  wgsl: klGradientPasses,
  onnx: (graph, names, { inputs: [{ shape: x }, { shape: w }, { shape: xT }, { shape: wT }] }, attributes) =>
    isLowerable(x, w) && isLowerable(xT, wT) ? lower(graph, names, Number(x[0]), attributes) : null,
});

/**
 * dx [R, D] and dw [V, D] of d_losses [R]; `operands`: both heads, then max and sum [R, 1] of the student and of the teacher;
 * `targets`: none or one.
 */
export function linearKlGradient(
  operands: readonly Value[],
  dLosses: Value,
  targets: readonly Value[],
  attributes: KlAttributes,
): readonly Value[] {
  return op([...operands, dLosses, ...targets], attributes);
}

function lower(
  graph: OnnxGraph,
  [x, w, xT, wT, max, sum, maxT, sumT, dLosses, targets]: readonly string[],
  rows: number,
  { temperature, hasTargets }: KlAttributes,
): string[] {
  const column = (name: string) => graph.one('Reshape', [name, graph.int64([rows, 1])]);
  const counted = (): string =>
    graph.one('Cast', [graph.one('GreaterOrEqual', [column(targets), graph.int32([0], [])])], { to: 1 });
  const scaled = graph.one('Mul', [column(dLosses), graph.float32([1 / temperature], [])]);
  const weight = hasTargets ? graph.one('Mul', [scaled, counted()]) : scaled;
  const cut = (name: string): string[] => cutRows(graph, name, rows);
  const [xs, xsT, maxima, maximaT] = [x, xT, max, maxT].map(cut);
  const [factors, factorsT] = [sum, sumT].map((name) => cut(graph.one('Div', [weight, name])));
  const shares = (logits: string, top: string, factor: string): string =>
    graph.one('Mul', [graph.one('Exp', [graph.one('Sub', [logits, top])]), factor]);
  let dw = '';
  const dxs = xs.map((chunk, i) => {
    const student = shares(logitsNode(graph, chunk, w, temperature), maxima[i], factors[i]);
    const teacher = shares(logitsNode(graph, xsT[i], wT, temperature), maximaT[i], factorsT[i]);
    const g = graph.one('Sub', [student, teacher]);
    const part = graph.one('FusedMatMul', [g, chunk], { transA: 1 });
    dw = i === 0 ? part : graph.one('Add', [dw, part]);
    return graph.one('FusedMatMul', [g, w]);
  });
  return [dxs.length === 1 ? dxs[0] : graph.one('Concat', dxs, { axis: 0 }), dw];
}

function differentiate(
  [x, w, xT, wT, ...others]: readonly Operand[],
  outputs: readonly Operand[],
  { temperature, hasTargets }: KlAttributes,
): void {
  const floatsOf = ({ data }: Operand) => floats('linear_kl_gradient', data);
  const [x_, w_] = [x, w].map(floatsOf);
  const [max, sum, maxT, sumT, c] = others.slice(0, 5).map(floatsOf);
  const targets = hasTargets ? ints('linear_kl_gradient', others[5].data) : null;
  const [dx, dw] = outputs.map(floatsOf);
  const [rows, width] = x.shape;
  const [vocabulary] = w.shape;
  const part = new Float32Array(dw.length);
  const [logits, logitsT] = [new Float32Array(vocabulary), new Float32Array(vocabulary)];
  dx.fill(0);
  dw.fill(0);
  let first = 0;
  for (const size of chunkSizes(rows)) {
    part.fill(0);
    for (let r = first; r < first + size; r++) {
      if (targets !== null && targets[r] < 0) continue;
      logitsInto(logits, x, w, r, temperature);
      logitsInto(logitsT, xT, wT, r, temperature);
      for (let j = 0; j < vocabulary; j++) {
        const p = Math.exp(logits[j] - max[r]) / sum[r];
        const g = (c[r] / temperature) * (p - Math.exp(logitsT[j] - maxT[r]) / sumT[r]);
        for (let i = 0; i < width; i++) {
          dx[r * width + i] += g * w_[j * width + i];
          part[j * width + i] += g * x_[r * width + i];
        }
      }
    }
    for (let i = 0; i < part.length; i++) dw[i] += part[i];
    first += size;
  }
}
