/** Some tokens of inputs that have a row for each, for tests that cut sequences. */
import { allocate, type Data } from '../../src/kernels/dtype.ts';

/** Tokens `first` … `end` − 1 of two sequences of `tokens`. */
export function sequencePart(data: Data, tokens: number, first: number, end: number): Data {
  const row = data.length / (2 * tokens);
  const length = (end - first) * row;
  const part = allocate(data instanceof Int32Array ? 'i32' : 'f32', 2 * length);
  [0, 1].forEach((s) => {
    part.set(data.subarray((s * tokens + first) * row, (s * tokens + end) * row), s * length);
  });
  return part;
}
