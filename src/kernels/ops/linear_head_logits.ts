/** The logits of a linear head on the WebGPU device, a chunk of rows at a time in scratch, for losses that never hold all of them. */
import type { Value } from '../graph.ts';
import type { Typed } from '../type.ts';
import { innerOf, type Lowering } from '../webgpu/lowering.ts';
import { matmulPass } from '../webgpu/wgsl/matmul.ts';
import type { Matrix } from '../webgpu/wgsl/product.ts';
import { chunkSizes } from './linear_cross_entropy_chunk.ts';

export interface Chunk {
  readonly first: number;
  readonly rows: number;
}

/** Of the rows of x [R, D]. */
export function chunksOf(x: Value): Chunk[] {
  let first = 0;
  return chunkSizes(Number(x.type.shape[0])).map((rows) => {
    const chunk = { first, rows };
    first += rows;
    return chunk;
  });
}

export const plain = (value: Typed, base = 0): Matrix => {
  const width = innerOf(value.type.shape);
  return { value, base, batchStep: 0, rowStep: width, columnStep: 1 };
};
export const transposed = (matrix: Matrix): Matrix => ({
  ...matrix,
  rowStep: matrix.columnStep,
  columnStep: matrix.rowStep,
});

/** Room for the logits of one chunk. */
export function logitsOf(lowering: Lowering, chunks: readonly Chunk[], vocabulary: number): Typed {
  return lowering.scratch('f32', [Math.max(1, ...chunks.map(({ rows }) => rows)), vocabulary]);
}

interface LogitsProduct {
  readonly label: string;
  /** [R, D] */
  readonly x: Value;
  /** [V, D] */
  readonly w: Value;
  readonly logits: Typed;
  readonly scale?: number;
}

/** scale · x wᵀ of the rows of a chunk. */
export function logitsPass(
  lowering: Lowering,
  { label, x, w, logits, scale = 1 }: LogitsProduct,
  { first, rows }: Chunk,
): void {
  const [vocabulary, width] = w.type.shape.map(Number);
  matmulPass(lowering, {
    label: `${label}, logits`,
    a: plain(x, first * width),
    b: transposed(plain(w)),
    y: plain(logits),
    batch: [],
    m: rows,
    n: vocabulary,
    k: width,
    scale,
  });
}

interface HeadGradient {
  readonly label: string;
  readonly x: Value;
  readonly w: Value;
  /** The gradient of the chunk's logits. */
  readonly g: Typed;
  readonly dx: Value;
  readonly dw: Value;
}

/** g w into the rows of dx, and gᵀ x added to dw, or stored there by the first chunk. */
export function headGradientPasses(
  lowering: Lowering,
  { label, x, w, g, dx, dw }: HeadGradient,
  { first, rows }: Chunk,
): void {
  const [vocabulary, width] = w.type.shape.map(Number);
  matmulPass(lowering, {
    label: `${label}, rows`,
    a: plain(g),
    b: plain(w),
    y: plain(dx, first * width),
    batch: [],
    m: rows,
    n: width,
    k: vocabulary,
  });
  matmulPass(lowering, {
    label: `${label}, weights`,
    a: transposed(plain(g)),
    b: plain(x, first * width),
    y: plain(dw),
    batch: [],
    m: vocabulary,
    n: width,
    k: rows,
    isAdded: first > 0,
  });
}
