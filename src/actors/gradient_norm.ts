/**
 * The global gradient norm, in an order that no placement can change: squares in float64 by chunks of 64 Ki elements
 * of each named tensor, chunks in order, tensors in the order of their names.
 */
const chunkElements = 65536;

/** Sum of squares of one tensor, folded chunk by chunk. NaN or infinity when an element is. */
export function sumOfSquares(values: Float32Array): number {
  let total = 0;
  for (let start = 0; start < values.length; start += chunkElements) {
    const end = Math.min(start + chunkElements, values.length);
    let chunk = 0;
    for (let i = start; i < end; i++) chunk += values[i] * values[i];
    total += chunk;
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
