/**
 * The gradient of `causalAttention`, from q, k, v, o and d_o. With P the probabilities, made again block by block:
 * dV = Pᵀ dO, dS = P · (dO Vᵀ − rowsum(dO · O)), dQ = scale · dS K, dK = scale · dSᵀ Q; dK and dV add up over the query
 * blocks in order.
 */
import { isEmpty, requireFloats } from '../check.ts';
import type { OnnxGraph } from '../cpu/onnx_graph.ts';
import { floats } from '../dtype.ts';
import type { Value } from '../graph.ts';
import { defineOp } from '../op.ts';
import type { Operand } from '../type.ts';
import { isStatic } from '../shape.ts';
import { attentionGradientParts } from './causal_attention_parts.ts';
import { attentionBlocks, blockProbabilities } from './causal_attention_block.ts';

const op = defineOp<undefined>({
  name: 'causal_attention_gradient',
  infer: ([q, k, v, o, dO]) => {
    requireFloats('causal_attention_gradient', [q, k, v, o, dO]);
    return [q, k, v];
  },
  reference: ([q, k, v, o, dO], [dq, dk, dv]) => differentiate(q, k, v, o, dO, dq, dk, dv),
  onnx: (graph, names, { inputs: [{ shape }, { shape: keyShape }] }) => {
    if (!isStatic(shape) || !isStatic(keyShape) || isEmpty(shape)) return null;
    // onnxruntime's ReduceSum gives a row the same bits everywhere only at multiples of 16.
    if (shape[2] < 2 || shape[3] % 16 !== 0) return null;
    return lower(graph, names, shape, keyShape);
  },
  decompose: attentionGradientParts,
});

/** dq, dk, dv of `dO` [B, H, T, d]; shapes as in `causalAttention`. */
export function causalAttentionGradient(q: Value, k: Value, v: Value, o: Value, dO: Value): readonly Value[] {
  return op([q, k, v, o, dO], undefined);
}

function lower(
  graph: OnnxGraph,
  [q, k, v, o, dO]: readonly string[],
  shape: readonly number[],
  keyShape: readonly number[],
): string[] {
  const blocks = attentionBlocks(graph, shape, keyShape);
  const product = (a: string, b: string, flags: { transA?: number; transB?: number; alpha?: { float: number } }) =>
    graph.one('FusedMatMul', [a, b], { ...flags });
  const alpha = { float: blocks.scale };
  const queries = blocks.split(q);
  const cotangents = blocks.split(dO);
  const rowSums = blocks.split(
    graph.one('ReduceSum', [graph.one('Mul', [dO, o]), graph.int64([-1])], { keepdims: 1 }),
    1,
  );
  const dqParts: string[] = [];
  const dkParts: string[] = [];
  const dvParts: string[] = [];
  /** Adds a block's sums [B, Hkv, end, d] to those of the blocks before, kept in pieces as long as the ranges. */
  const addTo = (sums: string[], x: string, count: number): void => {
    const sizes = blocks.ranges.slice(0, count).map(({ start, end }) => end - start);
    const pieces = count === 1 ? [x] : graph.op('Split', [x, graph.int64(sizes)], { axis: 2 }, count);
    pieces.forEach((piece, i) => (sums[i] = i < sums.length ? graph.one('Add', [sums[i], piece]) : piece));
  };
  blocks.ranges.forEach((range, i) => {
    const keys = blocks.upTo(k, range.end);
    const p = blockProbabilities(graph, blocks, range, queries[i], keys);
    const dP = product(cotangents[i], blocks.upTo(v, range.end), { transB: 1 });
    const dS = graph.one('Mul', [p, graph.one('Sub', [dP, rowSums[i]])]);
    dqParts.push(blocks.ungroup(product(dS, keys, { alpha }), range));
    addTo(dkParts, product(dS, queries[i], { transA: 1, alpha }), i + 1);
    addTo(dvParts, product(p, cotangents[i], { transA: 1 }), i + 1);
  });
  const join = (parts: readonly string[]) => (parts.length === 1 ? parts[0] : graph.one('Concat', parts, { axis: 2 }));
  return [join(dqParts), join(dkParts), join(dvParts)];
}

function differentiate(
  q: Operand,
  k: Operand,
  v: Operand,
  o: Operand,
  dO: Operand,
  ...[dq, dk, dv]: readonly Operand[]
): void {
  const [q_, k_, v_, o_, c_] = [q, k, v, o, dO].map((x) => floats('causal_attention_gradient', x.data));
  const [dq_, dk_, dv_] = [dq, dk, dv].map((x) => floats('causal_attention_gradient', x.data));
  const [batch, heads, tokens, width] = q.shape;
  const share = heads / k.shape[1];
  const scale = width ** -0.5;
  const p = new Float64Array(tokens);
  for (const out of [dq_, dk_, dv_]) out.fill(0);
  for (let s = 0; s < batch * heads; s++) {
    const keys = Math.floor(s / share) * tokens * width;
    for (let t = 0; t < tokens; t++) {
      const row = (s * tokens + t) * width;
      let max = -Infinity;
      for (let j = 0; j <= t; j++) {
        p[j] = scale * dot(q_, row, k_, keys + j * width, width);
        if (p[j] > max) max = p[j];
      }
      let total = 0;
      for (let j = 0; j <= t; j++) total += p[j] = Math.exp(p[j] - max);
      const pull = dot(c_, row, o_, row, width);
      for (let j = 0; j <= t; j++) {
        const at = keys + j * width;
        const probability = p[j] / total;
        const dS = scale * probability * (dot(c_, row, v_, at, width) - pull);
        for (let i = 0; i < width; i++) {
          dq_[row + i] += dS * k_[at + i];
          dk_[at + i] += dS * q_[row + i];
          dv_[at + i] += probability * c_[row + i];
        }
      }
    }
  }
}

function dot(a: Float32Array, atA: number, b: Float32Array, atB: number, width: number): number {
  let sum = 0;
  for (let i = 0; i < width; i++) sum += a[atA + i] * b[atB + i];
  return sum;
}
