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

/** Do x [R, D] and w [V, D] keep the numbers contract in onnxruntime? A product of one row or one column has other bits. */
export function isLowerable(x: Shape, w: Shape): boolean {
  return Number(x[0]) > 1 && Number(x[1]) > 1 && Number(w[0]) > 1;
}

/** Row sums of a chunk of `width` columns: at any width but a multiple of 16 a row's sum has other bits at other places. */
export function sumsOf(graph: OnnxGraph, chunk: string, width: number): string {
  const rest = (16 - (width % 16)) % 16;
  const whole = rest === 0 ? chunk : graph.one('Pad', [chunk, graph.int64([0, 0, 0, rest])]);
  return graph.one('ReduceSum', [whole, graph.int64([1])], { keepdims: 1 });
}

/** The chunks of a tensor of `rows` rows. */
export function cutRows(graph: OnnxGraph, x: string, rows: number): string[] {
  const sizes = chunkSizes(rows);
  return sizes.length === 1 ? [x] : graph.op('Split', [x, graph.int64(sizes)], { axis: 0 }, sizes.length);
}
