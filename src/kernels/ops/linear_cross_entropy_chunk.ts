/**
 * The chunks of `linearCrossEntropy`: 512 rows each, the last one shorter, but that a single left-over row joins the
 * chunk before it: a matmul of one row has other bits. They bound the memory of the logits and fix
 * the order in which the weight gradient adds up.
 */
import type { OnnxGraph } from '../cpu/onnx_graph.ts';
import type { Shape } from '../shape.ts';

const chunkRows = 512;

/** Rows of each chunk of `rows`. */
export function chunkSizes(rows: number): number[] {
  const sizes: number[] = [];
  for (let rest = rows; rest > 0; rest -= sizes[sizes.length - 1]) {
    sizes.push(rest <= chunkRows + 1 ? rest : chunkRows);
  }
  return sizes;
}

/**
 * Do x [R, D] and w [V, D] keep the numbers contract in onnxruntime? A row's sum has other bits at other places unless
 * the vocabulary is a multiple of 16.
 */
export function isLowerable(x: Shape, w: Shape): boolean {
  return Number(x[0]) > 1 && Number(x[1]) > 1 && Number(w[0]) > 0 && Number(w[0]) % 16 === 0;
}

/** The chunks of a tensor of `rows` rows. */
export function cutRows(graph: OnnxGraph, x: string, rows: number): string[] {
  const sizes = chunkSizes(rows);
  return sizes.length === 1 ? [x] : graph.op('Split', [x, graph.int64(sizes)], { axis: 0 }, sizes.length);
}
