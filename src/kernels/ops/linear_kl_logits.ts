/** The tempered logits of a head, which `linearKl` and its gradient both make: x wᵀ / τ. */
import type { OnnxGraph } from '../cpu/onnx_graph.ts';
import { floats } from '../dtype.ts';
import type { Operand } from '../type.ts';

export interface KlAttributes {
  /** τ */
  readonly temperature: number;
  readonly hasTargets: boolean;
}

/** Those of row `r` go into `logits`; returns the largest. */
export function logitsInto(logits: Float32Array, x: Operand, w: Operand, r: number, temperature: number): number {
  const [x_, w_] = [x, w].map(({ data }) => floats('linear_kl', data));
  const [vocabulary, width] = w.shape;
  let top = -Infinity;
  for (let j = 0; j < vocabulary; j++) {
    let dot = 0;
    for (let i = 0; i < width; i++) dot += x_[r * width + i] * w_[j * width + i];
    logits[j] = dot / temperature;
    top = Math.max(top, logits[j]);
  }
  return top;
}

/** Those of a chunk, in ONNX. */
export const logitsNode = (graph: OnnxGraph, x: string, w: string, temperature: number): string =>
  graph.one('FusedMatMul', [x, w], { transB: 1, alpha: { float: 1 / temperature } });
