/**
 * The global gradient norm, in an order that no placement can change: squares in float64 by chunks of 64 Ki elements
 * of each named tensor, chunks in order, tensors in the order of their names. Inside a chunk element i goes to partial sum
 * i mod 8, those beyond the last whole eight to a ninth, so that no addition waits for the one before. Of a device whose
 * memory is not the host's come sums of 1024 squares each, in float32; a chunk is the sum of 64 of those, in order.
 */
import { PART_ELEMENTS } from '../../kernels/ops/square_sums.ts';

const chunkElements = 65536;
const lanes = 8;

/** Sum of squares of one tensor, folded chunk by chunk. NaN or infinity when an element is. */
export function sumOfSquares(values: Float32Array): number {
  let total = 0;
  for (let start = 0; start < values.length; start += chunkElements) {
    const end = Math.min(start + chunkElements, values.length);
    total += sumOfChunk(values, start, end);
  }
  return total;
}

function sumOfChunk(values: Float32Array, start: number, end: number): number {
  let [a, b, c, d, e, f, g, h] = [0, 0, 0, 0, 0, 0, 0, 0];
  const whole = end - ((end - start) % lanes);
  for (let i = start; i < whole; i += lanes) {
    a += values[i] * values[i];
    b += values[i + 1] * values[i + 1];
    c += values[i + 2] * values[i + 2];
    d += values[i + 3] * values[i + 3];
    e += values[i + 4] * values[i + 4];
    f += values[i + 5] * values[i + 5];
    g += values[i + 6] * values[i + 6];
    h += values[i + 7] * values[i + 7];
  }
  let rest = 0;
  for (let i = whole; i < end; i++) rest += values[i] * values[i];
  return a + b + (c + d) + (e + f + (g + h)) + rest;
}

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
