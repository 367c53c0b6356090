/**
 * The global gradient norm, in an order that no placement can change: squares in float64 by chunks of 64 Ki elements
 * of each named tensor (`chunk_squares.ts`), chunks in order, tensors in the order of their names. Of a device whose
 * memory is not the host's come sums of 1024 squares each, in float32; a chunk is the sum of 64 of those, in order.
 */
import { PART_ELEMENTS } from '../../kernels/ops/square_sums.ts';

const chunkElements = 65536;

/** Sum of squares of one tensor, from the sums of its chunks. */
export const sumOfChunks = (sums: Float64Array): number => sums.reduce((total, sum) => total + sum, 0);

/** Sum of squares of one tensor, from the sums of its parts of 1024 elements. NaN or infinity when one is. */
export function sumOfParts(parts: Float32Array): number {
  const each = chunkElements / PART_ELEMENTS;
  let total = 0;
  for (let start = 0; start < parts.length; start += each) {
    total += parts.subarray(start, start + each).reduce((sum, part) => sum + part, 0);
  }
  return total;
}

/** The norm over all tensors, from their sums of squares by name. */
export function globalNorm(squares: Readonly<Record<string, number>>): number {
  const names = Object.keys(squares).sort();
  return Math.sqrt(names.reduce((sum, name) => sum + squares[name], 0));
}

/** What gradients are multiplied by so that their norm is at most `limit` (0: no limit), as one float32. */
export function clipScale(norm: number, limit: number): number {
  return limit > 0 && norm > limit ? Math.fround(limit / (norm + 1e-6)) : 1;
}
