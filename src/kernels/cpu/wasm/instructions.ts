/**
 * WebAssembly instructions as typed expressions of its text format, under its own names: `i32.add(a, b)` is
 * `(i32.add a b)`. Only what the lowerings use.
 */

export type Kind = 'i32' | 'v128';

/** An expression that leaves one value of `kind`. */
export interface Expr<K extends Kind> {
  readonly kind: K;
  readonly wat: string;
}
export type I32 = Expr<'i32'>;
/** Four lanes of fp32, unless said otherwise. */
export type V128 = Expr<'v128'>;

const of =
  <K extends Kind>(kind: K, instruction: string) =>
  (...operands: readonly Expr<Kind>[]): Expr<K> => ({
    kind,
    // Concatenated, not joined: text that nobody reads, as of code that is only tried, is then never put together.
    wat: `${operands.reduce((text, operand) => `${text} ${operand.wat}`, `(${instruction}`)})`,
  });

const unary = <K extends Kind>(kind: K, instruction: string): ((x: Expr<K>) => Expr<K>) => of(kind, instruction);
const binary = <K extends Kind>(kind: K, instruction: string): ((a: Expr<K>, b: Expr<K>) => Expr<K>) =>
  of(kind, instruction);
const shift = (instruction: string): ((x: V128, count: I32) => V128) => of('v128', instruction);

/** A number in the text format. */
const literal = (value: number): string => {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value < 0 ? '-inf' : 'inf';
  return Object.is(value, -0) ? '-0' : String(value);
};

export const i32 = {
  const: (value: number): I32 => ({ kind: 'i32', wat: `(i32.const ${value | 0})` }),
  add: binary('i32', 'i32.add'),
  sub: binary('i32', 'i32.sub'),
  mul: binary('i32', 'i32.mul'),
  divU: binary('i32', 'i32.div_u'),
  remU: binary('i32', 'i32.rem_u'),
  and: binary('i32', 'i32.and'),
  xor: binary('i32', 'i32.xor'),
  shl: binary('i32', 'i32.shl'),
  shrU: binary('i32', 'i32.shr_u'),
  eq: binary('i32', 'i32.eq'),
  ne: binary('i32', 'i32.ne'),
  ltU: binary('i32', 'i32.lt_u'),
  geU: binary('i32', 'i32.ge_u'),
  ltS: binary('i32', 'i32.lt_s'),
  geS: binary('i32', 'i32.ge_s'),
  /** a where `condition` is not 0, else b. */
  select: (a: I32, b: I32, condition: I32): I32 => of('i32', 'select')(a, b, condition),
  load: (address: I32, offset = 0): I32 => ({ kind: 'i32', wat: `(i32.load offset=${offset} ${address.wat})` }),
};

export const v128 = {
  load: (address: I32, offset = 0): V128 => ({ kind: 'v128', wat: `(v128.load offset=${offset} ${address.wat})` }),
  /** One 32-bit number in all lanes. */
  load32Splat: (address: I32, offset = 0): V128 => ({
    kind: 'v128',
    wat: `(v128.load32_splat offset=${offset} ${address.wat})`,
  }),
  /** `x` with one lane from memory. */
  load32Lane: (address: I32, x: V128, lane: number, offset = 0): V128 => ({
    kind: 'v128',
    wat: `(v128.load32_lane offset=${offset} ${lane} ${address.wat} ${x.wat})`,
  }),
  /** 64 bits, the upper half zero. */
  load64Zero: (address: I32, offset = 0): V128 => ({
    kind: 'v128',
    wat: `(v128.load64_zero offset=${offset} ${address.wat})`,
  }),
  and: binary('v128', 'v128.and'),
  or: binary('v128', 'v128.or'),
  xor: binary('v128', 'v128.xor'),
  /** Bits of `x` where `mask` is set, else of `y`. */
  bitselect: (x: V128, y: V128, mask: V128): V128 => of('v128', 'v128.bitselect')(x, y, mask),
  /** 1 where any bit is set, else 0. */
  anyTrue: (x: V128): I32 => of('i32', 'v128.any_true')(x),
};

export const f32x4 = {
  const: (value: number): V128 => {
    const text = literal(Math.fround(value));
    return { kind: 'v128', wat: `(v128.const f32x4 ${text} ${text} ${text} ${text})` };
  },
  add: binary('v128', 'f32x4.add'),
  sub: binary('v128', 'f32x4.sub'),
  mul: binary('v128', 'f32x4.mul'),
  div: binary('v128', 'f32x4.div'),
  min: binary('v128', 'f32x4.min'),
  max: binary('v128', 'f32x4.max'),
  /** b where b < a, else a. */
  pmin: binary('v128', 'f32x4.pmin'),
  /** b where a < b, else a. */
  pmax: binary('v128', 'f32x4.pmax'),
  lt: binary('v128', 'f32x4.lt'),
  sqrt: unary('v128', 'f32x4.sqrt'),
  neg: unary('v128', 'f32x4.neg'),
  abs: unary('v128', 'f32x4.abs'),
  convertI32x4U: unary('v128', 'f32x4.convert_i32x4_u'),
  convertI32x4S: unary('v128', 'f32x4.convert_i32x4_s'),
};

export const i32x4 = {
  const: (...lanes: readonly [number, number, number, number]): V128 => ({
    kind: 'v128',
    wat: `(v128.const i32x4 ${lanes.map((lane) => lane | 0).join(' ')})`,
  }),
  all: (value: number): V128 => i32x4.const(value, value, value, value),
  splat: (x: I32): V128 => of('v128', 'i32x4.splat')(x),
  add: binary('v128', 'i32x4.add'),
  mul: binary('v128', 'i32x4.mul'),
  shl: shift('i32x4.shl'),
  shrU: shift('i32x4.shr_u'),
  shrS: shift('i32x4.shr_s'),
  sub: binary('v128', 'i32x4.sub'),
  gtS: binary('v128', 'i32x4.gt_s'),
  extendLowI16x8U: unary('v128', 'i32x4.extend_low_i16x8_u'),
};

/** Two lanes of fp64. */
export const f64x2 = {
  const: (value: number): V128 => ({
    kind: 'v128',
    wat: `(v128.const f64x2 ${literal(value)} ${literal(value)})`,
  }),
  add: binary('v128', 'f64x2.add'),
  mul: binary('v128', 'f64x2.mul'),
  /** Of the first two of four fp32. */
  promoteLowF32x4: unary('v128', 'f64x2.promote_low_f32x4'),
};

/** Lanes of 16 bits from two times four lanes of 32, which must not be above 65535. */
export const narrowI32x4U: (a: V128, b: V128) => V128 = of('v128', 'i16x8.narrow_i32x4_u');

/** The four lanes of `x`, of 32 bits, in another order. */
export function permute(x: V128, ...lanes: readonly [number, number, number, number]): V128 {
  const bytes = lanes.flatMap((lane) => [0, 1, 2, 3].map((byte) => lane * 4 + byte));
  return { kind: 'v128', wat: `(i8x16.shuffle ${bytes.join(' ')} ${x.wat} ${x.wat})` };
}
