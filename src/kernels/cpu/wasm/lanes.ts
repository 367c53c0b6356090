/** Arithmetic in generated code: of formulas on four lanes, of 32-bit words on one and on four. Results go into locals. */
import { LEAST_FRACTION_BITS, type Arithmetic } from '../../arithmetic.ts';
import type { Words } from '../../random.ts';
import type { WasmFunction } from './function.ts';
import { f32x4, i32, i32x4, v128, type I32, type V128 } from './instructions.ts';

export function lanesOf(fn: WasmFunction): Arithmetic<V128> {
  const into =
    (instruction: (...operands: V128[]) => V128) =>
    (...operands: V128[]): V128 =>
      fn.let(instruction(...operands));
  return {
    constant: (value) => fn.constant(f32x4.const(value)),
    add: into(f32x4.add),
    sub: into(f32x4.sub),
    mul: into(f32x4.mul),
    div: into(f32x4.div),
    sqrt: into(f32x4.sqrt),
    negate: into(f32x4.neg),
    absolute: into(f32x4.abs),
    minimum: into(f32x4.min),
    maximum: into(f32x4.max),
    smaller: into((a, b) => f32x4.pmin(b, a)),
    larger: into((a, b) => f32x4.pmax(b, a)),
    // A number plus 1.5 · 2²³ has it in its low bits, and these shifted are those of an exponent.
    timesPower2: into((x, shifted) => i32x4.add(x, i32x4.shl(shifted, i32.const(23)))),
    splitPower2: (x) => {
      const least = fn.constant(i32x4.all(LEAST_FRACTION_BITS));
      const power = fn.let(i32x4.shrS(i32x4.sub(x, least), i32.const(23)));
      const fraction = fn.let(i32x4.sub(x, i32x4.shl(power, i32.const(23))));
      return { power: fn.let(f32x4.convertI32x4S(power)), fraction };
    },
    whereLess: into((a, b, x, y) => v128.bitselect(x, y, f32x4.lt(a, b))),
    roundBf16: into((x) => i32x4.shl(nearestBf16(fn, x), i32.const(16))),
  };
}

/** The bits of bf16 nearest to each lane, in the lower half of 32: `bf16BitsOf` on four lanes. */
export function nearestBf16(fn: WasmFunction, x: V128): V128 {
  const all = (value: number): V128 => fn.constant(i32x4.all(value));
  const isNaN = fn.let(i32x4.gtS(v128.and(x, all(0x7fffffff)), all(0x7f800000)));
  const odd = v128.and(i32x4.shrU(x, i32.const(16)), all(1));
  const rounded = i32x4.shrU(i32x4.add(i32x4.add(x, all(0x7fff)), odd), i32.const(16));
  return fn.let(v128.bitselect(all(0x7fc0), rounded, isNaN));
}

/** One word. */
export const wordsOf = (fn: WasmFunction): Words<I32> => ({
  constant: i32.const,
  add: (a, b) => fn.let(i32.add(a, b)),
  mul: (a, b) => fn.let(i32.mul(a, b)),
  xor: (a, b) => fn.let(i32.xor(a, b)),
  shiftRight: (x, count) => fn.let(i32.shrU(x, i32.const(count))),
});

/** Four words. */
export const wordLanesOf = (fn: WasmFunction): Words<V128> => ({
  constant: (value) => fn.constant(i32x4.all(value)),
  add: (a, b) => fn.let(i32x4.add(a, b)),
  mul: (a, b) => fn.let(i32x4.mul(a, b)),
  xor: (a, b) => fn.let(v128.xor(a, b)),
  shiftRight: (x, count) => fn.let(i32x4.shrU(x, i32.const(count))),
});
