/**
 * Sums of squares in fp64, by chunks of 64 Ki elements, for norms that a host makes of its own memory. Inside a chunk element i
 * goes to partial sum i mod 8, those beyond the last whole eight to a ninth, so that no addition waits for the one before. No
 * dtype is an fp64 number: a sum is two 32-bit words, the lower one first.
 */
import { requireFloats, staticShape } from '../check.ts';
import { f64x2, i32, permute, type I32 } from '../cpu/wasm/instructions.ts';
import { floats, ints } from '../dtype.ts';
import type { Value } from '../graph.ts';
import { defineOp } from '../op.ts';
import { elements } from '../shape.ts';

const CHUNK_ELEMENTS = 65_536;
const LANES = 8;
const BYTES = 4;

/** Chunks of so many elements. */
export const chunksOf = (length: number): number => Math.ceil(length / CHUNK_ELEMENTS);

/** The sum of squares of each chunk. NaN or infinity where an element is. */
export const chunkSquaresOf = (values: Float32Array): Float64Array =>
  Float64Array.from({ length: chunksOf(values.length) }, (_, chunk) => {
    const start = chunk * CHUNK_ELEMENTS;
    return sumOfChunk(values, start, Math.min(start + CHUNK_ELEMENTS, values.length));
  });

/** The sums of a tensor that the op made. */
export const doublesOf = ({ buffer, byteOffset, length }: Int32Array): Float64Array =>
  new Float64Array(buffer, byteOffset, length / 2);

function sumOfChunk(values: Float32Array, start: number, end: number): number {
  let [a, b, c, d, e, f, g, h] = [0, 0, 0, 0, 0, 0, 0, 0];
  const whole = end - ((end - start) % LANES);
  for (let i = start; i < whole; i += LANES) {
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

const op = defineOp<undefined>({
  name: 'chunk_squares',
  infer: ([x]) => {
    requireFloats('chunk_squares', [x]);
    return [{ dtype: 'i32', shape: [chunksOf(elements(staticShape('chunk_squares', 'x', x.shape))), 2] }];
  },
  reference: ([x], [sums]) =>
    doublesOf(ints('chunk_squares', sums.data)).set(chunkSquaresOf(floats('chunk_squares', x.data))),
  wasm: (kernel, [x], [sums]) => {
    const { fn } = kernel;
    const length = elements(staticShape('chunk_squares', 'x', x.type.shape));
    if (length % LANES !== 0) return false;
    const sumFrom = (start: I32, count: number, to: I32): void => {
      const parts = Array.from({ length: 4 }, () => fn.let(f64x2.const(0), 'sum'));
      fn.loop(start, fn.let(i32.add(start, i32.const(count * BYTES)), 'end'), LANES * BYTES, (at) => {
        const four = [kernel.load(x, at), kernel.load(x, at, 16)];
        const pairs = four.flatMap((v) => [v, permute(v, 2, 3, 2, 3)]).map((v) => fn.let(f64x2.promoteLowF32x4(v)));
        parts.forEach((part, i) => fn.set(part, f64x2.add(part, f64x2.mul(pairs[i], pairs[i]))));
      });
      const [ab, cd, ef, gh] = parts.map((part) => fn.let(f64x2.add(part, permute(part, 2, 3, 0, 1))));
      fn.storeLow64(i32.add(sums.address, to), f64x2.add(f64x2.add(ab, cd), f64x2.add(ef, gh)));
    };
    const whole = Math.floor(length / CHUNK_ELEMENTS);
    fn.loop(i32.const(0), i32.const(whole), 1, (chunk) => {
      const start = fn.let(i32.mul(chunk, i32.const(CHUNK_ELEMENTS * BYTES)));
      sumFrom(start, CHUNK_ELEMENTS, fn.let(i32.shl(chunk, i32.const(3))));
    });
    const rest = length - whole * CHUNK_ELEMENTS;
    if (rest > 0) sumFrom(i32.const(whole * CHUNK_ELEMENTS * BYTES), rest, i32.const(8 * whole));
    return true;
  },
});

/** x, of fixed sizes, N elements → i32 [⌈N / 65,536⌉, 2], see `doublesOf`. Throws `ShapeError`, `DTypeError`. */
export function chunkSquares(x: Value): Value {
  return op([x], undefined)[0];
}
