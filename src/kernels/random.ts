/**
 * Randomness without state: a number is a hash of what it is for (seed, purpose, place) and of a counter, never of who
 * draws it or when. Unsigned 32-bit add, multiply, xor and shift only, so that JavaScript, WebAssembly and WGSL give the
 * same bits. A stream holds 64 bits, so that two streams of a run do not meet by chance.
 */
import { normalQuantile } from './normal.ts';

/** Two 32-bit words that name a stream of random numbers. */
export interface Stream {
  readonly a: number;
  readonly b: number;
}

const goldenRatio = 0x9e3779b9;
/** Where the two words of a stream begin: fractional bits of π. */
const startA = 0x243f6a88;
const startB = 0x85a308d3;

/**
 * Mixes 32 bits so that each input bit flips each output bit with probability close to one half; a bijection. Shifts and
 * multipliers as found by C. Wellons' hash prospector.
 */
export function mix(word: number): number {
  let x = word;
  x = Math.imul(x ^ (x >>> 16), 0x21f0aaad);
  x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
  return (x ^ (x >>> 15)) >>> 0;
}

/** The stream named by `words`, of which the low 32 bits count. */
export function streamOf(words: Iterable<number>): Stream {
  let stream: Stream = { a: startA, b: startB };
  for (const word of words) stream = substream(stream, word);
  return stream;
}

/** The stream named by `stream` and one more word. */
export function substream({ a, b }: Stream, word: number): Stream {
  return { a: mix(a ^ word), b: mix(Math.imul(b, goldenRatio) + word) };
}

/** Number `counter` of the stream (a, b), an unsigned 32-bit integer. */
export function draw(a: number, b: number, counter: number): number {
  let x = (a + Math.imul(counter, goldenRatio)) | 0;
  x = Math.imul(x ^ (x >>> 16), 0x21f0aaad) ^ b;
  x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
  return (x ^ (x >>> 15)) >>> 0;
}

/** Fills `out` with numbers uniform from `low` to `high`, in 2²⁴ steps: element i is a pure function of (seed, name, i). */
export function fillUniform(out: Float32Array, seed: number, name: string, low: number, high: number): void {
  const { a, b } = namedStream(seed, name);
  for (let i = 0; i < out.length; i++) out[i] = low + (high - low) * ((draw(a, b, i) >>> 8) * 2 ** -24);
}

/**
 * Fills `out` from a normal distribution of mean 0 and standard deviation `std`, cut at two of them (and not rescaled,
 * papers.md §2.4): element i is a pure function of (seed, name, i).
 */
export function fillTruncatedNormal(out: Float32Array, seed: number, name: string, std: number): void {
  const { a, b } = namedStream(seed, name);
  for (let i = 0; i < out.length; i++) {
    const uniform = (draw(a, b, i) + 0.5) * 2 ** -32;
    out[i] = std * normalQuantile(belowTwo + (1 - 2 * belowTwo) * uniform);
  }
}

/** Φ(−2). */
const belowTwo = 0.022750131948179207;

function namedStream(seed: number, name: string): Stream {
  return streamOf([seed, name.length, ...Array.from(name, (_, i) => name.charCodeAt(i))]);
}
