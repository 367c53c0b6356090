/**
 * fp32 arithmetic that formulas are written in. The same formula runs on numbers in the plain reference and on four
 * lanes at once in generated code; each operation rounds once, by IEEE 754, so that both have the same bits.
 */
export interface Arithmetic<T> {
  /** A fixed number, rounded to fp32. */
  constant(value: number): T;
  add(a: T, b: T): T;
  sub(a: T, b: T): T;
  mul(a: T, b: T): T;
  div(a: T, b: T): T;
  sqrt(x: T): T;
  negate(x: T): T;
  absolute(x: T): T;
  /** NaN when either is; −0 below +0. */
  minimum(a: T, b: T): T;
  maximum(a: T, b: T): T;
  /** a where a < b, else b: one instruction, where `minimum` is several. */
  smaller(a: T, b: T): T;
  /** a where b < a, else b. */
  larger(a: T, b: T): T;
  /** eˣ, where the arithmetic has one of its own: a compiler that reorders sums would break ours. */
  exp?(x: T): T;
  /** x · 2ⁿ of `shifted` = n + `POWER_SHIFT`, for results that are normal numbers. */
  timesPower2(x: T, shifted: T): T;
  /** The natural logarithm, where the arithmetic has one of its own. */
  log?(x: T): T;
  /** Of a normal number x > 0 the n of x = 2ⁿ · m with √½ ≤ m < √2, about, and that m. */
  splitPower2(x: T): { readonly power: T; readonly fraction: T };
  /** x where a < b, else y: also where one of them is NaN. */
  whereLess(a: T, b: T, x: T, y: T): T;
  /** Rounded to what bf16 can hold: to nearest, ties to even, every NaN to 0x7fc0. */
  roundBf16(x: T): T;
}

/** Added to a number below 2²², it leaves the nearest whole number in the low bits (halves to even). */
export const POWER_SHIFT = 1.5 * 2 ** 23;

/** An element of an op's outputs from those of its inputs, in any arithmetic. */
export type Formula = <T>(f: Arithmetic<T>, ...inputs: readonly T[]) => T;

/** The bits of the smallest m of `splitPower2`: √½ in fp32. */
export const LEAST_FRACTION_BITS = 0x3f3504f3;

const { fround } = Math;
const scratch = new Float32Array(1);
const bits = new Int32Array(scratch.buffer);

/** The bits of bf16 nearest to a float32 given by its bits (as a signed integer). */
export function bf16BitsOf(word: number): number {
  if ((word & 0x7fffffff) > 0x7f800000) return 0x7fc0;
  return ((word + 0x7fff + ((word >>> 16) & 1)) | 0) >>> 16;
}

/** The arithmetic of the plain reference: numbers that are exact in fp32. */
export const numbers: Arithmetic<number> = {
  constant: fround,
  add: (a, b) => fround(a + b),
  sub: (a, b) => fround(a - b),
  mul: (a, b) => fround(a * b),
  div: (a, b) => fround(a / b),
  sqrt: (x) => fround(Math.sqrt(x)),
  negate: (x) => -x,
  absolute: Math.abs,
  minimum: Math.min,
  maximum: Math.max,
  smaller: (a, b) => (a < b ? a : b),
  larger: (a, b) => (b < a ? a : b),
  timesPower2: (x, shifted) => x * 2 ** (shifted - POWER_SHIFT),
  splitPower2: (x) => {
    scratch[0] = x;
    const above = (bits[0] - LEAST_FRACTION_BITS) >> 23;
    bits[0] -= above << 23;
    return { power: above, fraction: scratch[0] };
  },
  whereLess: (a, b, x, y) => (a < b ? x : y),
  roundBf16: (x) => {
    scratch[0] = x;
    bits[0] = bf16BitsOf(bits[0]) << 16;
    return scratch[0];
  },
};
