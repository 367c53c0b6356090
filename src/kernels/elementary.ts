/**
 * Elementary functions as formulas of fp32 arithmetic, so that they have the same bits on every processor. Coefficients
 * are minimax fits made for this file, rounded to fp32; errors are of the whole function, in fp32.
 */
import { POWER_SHIFT, type Arithmetic } from './arithmetic.ts';

/** Σ cᵢ xⁱ by Horner's rule. */
function polynomial<T>(f: Arithmetic<T>, x: T, coefficients: readonly number[]): T {
  const [last, ...rest] = coefficients.map((c) => f.constant(c)).reverse();
  return rest.reduce((sum, c) => f.add(f.mul(sum, x), c), last);
}

/** ln 2 in two parts: n times the first is exact for every exponent n. */
const ln2High = 0.693359375;
const ln2Low = Math.LN2 - ln2High;
/** Below the first the result is 0 (it would be subnormal), above the second infinity: from the third on, the next number. */
const expLowest = -87.33654022216797;
const expHighest = 88.72283172607422;
const expAbove = 88.72283935546875;

/** eˣ, within 1 unit in the last place; 0 where it would be subnormal. */
export function exp<T>(f: Arithmetic<T>, x: T): T {
  if (f.exp !== undefined) return f.exp(x);
  const [lowest, highest, shift] = [f.constant(expLowest), f.constant(expHighest), f.constant(POWER_SHIFT)];
  // Comparisons with NaN are false, and the second operand is what is left then.
  const clipped = f.smaller(highest, f.larger(lowest, x));
  const shifted = f.add(f.mul(clipped, f.constant(Math.LOG2E)), shift);
  const n = f.sub(shifted, shift);
  const high = f.sub(clipped, f.mul(n, f.constant(ln2High)));
  const r = f.sub(high, f.mul(n, f.constant(ln2Low)));
  const tail = polynomial(f, r, [0.5, 0.166665181517601, 0.04166620597243309, 0.008368889801204205, 0.00139504834078]);
  const fraction = f.add(f.add(f.mul(f.mul(r, r), tail), r), f.constant(1));
  const y = f.timesPower2(fraction, shifted);
  // NaN has no place among exponents: it takes the last way, and stays.
  const beyond = f.add(x, f.constant(Infinity));
  return f.whereLess(x, lowest, f.constant(0), f.whereLess(x, f.constant(expAbove), y, beyond));
}

/** The smallest normal number, and what lifts a subnormal one above it. */
const leastNormal = 2 ** -126;
const lift = 25;

/** ln x, within 1 unit in the last place; −∞ of 0, NaN below it. */
export function log<T>(f: Arithmetic<T>, x: T): T {
  if (f.log !== undefined) return f.log(x);
  const zero = f.constant(0);
  const least = f.constant(leastNormal);
  const lifted = f.whereLess(x, least, f.mul(x, f.constant(2 ** lift)), x);
  const { power, fraction } = f.splitPower2(lifted);
  const n = f.sub(power, f.whereLess(x, least, f.constant(lift), zero));
  const r = f.sub(fraction, f.constant(1));
  const square = f.mul(r, r);
  const tail = polynomial(
    f,
    r,
    [
      0.3333333134651184, -0.2500081956386566, 0.20001226663589478, -0.16623356938362122, 0.14201758801937103,
      -0.13160182535648346, 0.12761574983596802, -0.07634492963552475,
    ],
  );
  const low = f.add(f.mul(f.mul(r, square), tail), f.mul(n, f.constant(ln2Low)));
  const y = f.add(f.add(r, f.sub(low, f.mul(f.constant(0.5), square))), f.mul(n, f.constant(ln2High)));
  const infinite = f.constant(Infinity);
  // Infinity and NaN are their own logarithms; what is neither above nor below 0 is 0 or NaN.
  const positive = f.whereLess(zero, x, f.whereLess(x, infinite, y, x), f.sub(x, infinite));
  return f.whereLess(x, zero, f.constant(NaN), positive);
}

/** 1 / (1 + e⁻ˣ), within 3 units in the last place. */
export function sigmoid<T>(f: Arithmetic<T>, x: T): T {
  return f.div(f.constant(1), f.add(f.constant(1), exp(f, f.negate(x))));
}

/** ln(1 + eˣ), within 3 units in the last place. */
export function softplus<T>(f: Arithmetic<T>, x: T): T {
  const one = f.constant(1);
  const u = exp(f, f.negate(f.absolute(x)));
  const w = f.add(one, u);
  // What 1 + u lost in rounding counts by the slope of the logarithm.
  const lost = f.div(f.sub(u, f.sub(w, one)), w);
  return f.add(f.larger(x, f.constant(0)), f.add(log(f, w), lost));
}

const tanhSmall = 0.625;

/** tanh x, within 3 units in the last place. */
export function tanh<T>(f: Arithmetic<T>, x: T): T {
  const size = f.absolute(x);
  const square = f.mul(x, x);
  const tail = polynomial(
    f,
    square,
    [-0.3333328366279602, 0.13331490755081177, -0.05374348536133766, 0.020650554448366165, -0.005717011168599129],
  );
  const small = f.add(x, f.mul(f.mul(x, square), tail));
  const large = f.sub(f.constant(1), f.div(f.constant(2), f.add(exp(f, f.add(size, size)), f.constant(1))));
  const signed = f.whereLess(x, f.constant(0), f.negate(large), large);
  return f.whereLess(size, f.constant(tanhSmall), small, signed);
}

/** From here on erf rounds to 1. */
const erfHighest = 4.1;

/** erf x, within 2e-7: a polynomial below 1, beyond it 1 − e^(−x²) · P(1 / (1 + x / 2)). */
export function erf<T>(f: Arithmetic<T>, x: T): T {
  const size = f.minimum(f.absolute(x), f.constant(erfHighest));
  const square = f.mul(size, size);
  const small = f.mul(
    x,
    polynomial(
      f,
      square,
      [
        1.1283791065216064, -0.3761262595653534, 0.11283600330352783, -0.026854444295167923, 0.005189535208046436,
        -0.0008020838140510023, 7.889109110692516e-5,
      ],
    ),
  );
  const t = f.div(f.constant(1), f.add(f.constant(1), f.mul(f.constant(0.5), size)));
  const scaled = polynomial(
    f,
    t,
    [
      0.0005727754323743284, 0.27403247356414795, 0.32873743772506714, 0.10690170526504517, 0.39543893933296204,
      -0.0507265105843544, -0.055688612163066864,
    ],
  );
  const large = f.sub(f.constant(1), f.mul(exp(f, f.negate(square)), scaled));
  const signed = f.whereLess(x, f.constant(0), f.negate(large), large);
  return f.whereLess(size, f.constant(1), small, signed);
}
