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
/** Shifts and multipliers of the mixing, as found by C. Wellons' hash prospector. */
const [shift1, multiplier1, shift2, multiplier2, shift3] = [16, 0x21f0aaad, 15, 0x735a2d97, 15];
/** Where the two words of a stream begin: fractional bits of π. */
const startA = 0x243f6a88;
const startB = 0x85a308d3;

/** Mixes 32 bits so that each input bit flips each output bit with probability close to one half; a bijection. */
export function mix(word: number): number {
  let x = word;
  x = Math.imul(x ^ (x >>> shift1), multiplier1);
  x = Math.imul(x ^ (x >>> shift2), multiplier2);
  return (x ^ (x >>> shift3)) >>> 0;
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
  x = Math.imul(x ^ (x >>> shift1), multiplier1) ^ b;
  x = Math.imul(x ^ (x >>> shift2), multiplier2);
  return (x ^ (x >>> shift3)) >>> 0;
}

/** Arithmetic of 32-bit words, unsigned and wrapping: what a device draws with in code of its own. */
export interface Words<W> {
  constant(value: number): W;
  add(a: W, b: W): W;
  mul(a: W, b: W): W;
  xor(a: W, b: W): W;
  shiftRight(x: W, count: number): W;
}

/** `mix` in any words. */
export function mixWords<W>(w: Words<W>, word: W): W {
  const once = w.mul(w.xor(word, w.shiftRight(word, shift1)), w.constant(multiplier1));
  const twice = w.mul(w.xor(once, w.shiftRight(once, shift2)), w.constant(multiplier2));
  return w.xor(twice, w.shiftRight(twice, shift3));
}

/** `streamOf` in any words. */
export function streamOfWords<W>(w: Words<W>, words: readonly W[]): readonly [a: W, b: W] {
  return words.reduce<readonly [W, W]>(
    ([a, b], word) => [mixWords(w, w.xor(a, word)), mixWords(w, w.add(w.mul(b, w.constant(goldenRatio)), word))],
    [w.constant(startA), w.constant(startB)],
  );
}

/** `draw` in any words. */
export function drawWords<W>(w: Words<W>, a: W, b: W, counter: W): W {
  const x = w.add(a, w.mul(counter, w.constant(goldenRatio)));
  const once = w.xor(w.mul(w.xor(x, w.shiftRight(x, shift1)), w.constant(multiplier1)), b);
  const twice = w.mul(w.xor(once, w.shiftRight(once, shift2)), w.constant(multiplier2));
  return w.xor(twice, w.shiftRight(twice, shift3));
}

/** Fills `out` with numbers uniform from `low` to `high`, in 2²⁴ steps: element i is a pure function of (seed, name, i). */
export function fillUniform(out: Float32Array, seed: number, name: string, low: number, high: number): void {
  const { a, b } = namedStream(seed, name);
  for (let i = 0; i < out.length; i++) out[i] = low + (high - low) * ((draw(a, b, i) >>> 8) * 2 ** -24);
}

/**
 * Fills `out` from a normal distribution of mean 0 and standard deviation `std`, cut at two of them and not rescaled
 * (arXiv 2101.03961 §2.4 has the cut): element i is a pure function of (seed, name, i).
 */
export function fillTruncatedNormal(out: Float32Array, seed: number, name: string, std: number): void {
  const { a, b } = namedStream(seed, name);
  for (let i = 0; i < out.length; i++) {
    const uniform = (draw(a, b, i) + 0.5) * 2 ** -32;
    out[i] = std * normalQuantile(belowTwo + (1 - 2 * belowTwo) * uniform);
  }
}

/** Fills `out` from a normal distribution of mean 0: element i is a pure function of (seed, name, i). */
export function fillNormal(out: Float32Array, seed: number, name: string, std: number): void {
  const { a, b } = namedStream(seed, name);
  for (let i = 0; i < out.length; i++) out[i] = std * normalQuantile((draw(a, b, i) + 0.5) * 2 ** -32);
}

/** Φ(−2). */
const belowTwo = 0.022750131948179207;

function namedStream(seed: number, name: string): Stream {
  return streamOf([seed, name.length, ...Array.from(name, (_, i) => name.charCodeAt(i))]);
}
