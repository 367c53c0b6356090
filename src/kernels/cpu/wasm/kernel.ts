/**
 * What an op's WASM lowering is written with: operands in memory, loops over elements and rows four lanes at a time, and
 * sums in the order that `lane_sum.ts` defines. Offsets count the bytes of fp32 elements; of bf16 half of that is meant.
 */
import type { Arithmetic } from '../../arithmetic.ts';
import { SUM_LANES } from '../../lane_sum.ts';
import { maxElements, type Dim, type Shape } from '../../shape.ts';
import type { Table } from '../../table.ts';
import type { Type } from '../../type.ts';
import type { Local, WasmFunction } from './function.ts';
import { f32x4, i32, i32x4, narrowI32x4U, permute, v128, type I32, type V128 } from './instructions.ts';
import { lanesOf, nearestBf16 } from './lanes.ts';

/** A value of the program while code for it is written. */
export interface WasmOperand {
  readonly address: I32;
  readonly type: Type;
}

/** Runs once for four elements: those at byte `at` + `offset` of an fp32 tensor. */
export type Body = (at: I32, offset: number) => void;
export type Term = (at: I32, offset: number) => V128;

const LANES = 4;
const VECTOR_BYTES = 16;
const ACCUMULATORS = SUM_LANES / LANES;
/** Rows up to this many vectors are written out without a loop. */
const STRAIGHT_VECTORS = 8;

export class Kernel {
  readonly fn: WasmFunction;
  readonly f: Arithmetic<V128>;
  private readonly addressOf: (table: Table) => number;
  private readonly refusal: number;

  /** `addressOf` says where a table lies; `refusal` is what the function answers when `refuseIf` does. */
  constructor(fn: WasmFunction, addressOf: (table: Table) => number, refusal = 1) {
    this.fn = fn;
    this.f = lanesOf(fn);
    this.addressOf = addressOf;
    this.refusal = refusal;
  }

  /** Stops where the reference would throw; the reference is run then, for its words. */
  refuseIf(condition: I32): void {
    this.fn.if(condition, () => this.fn.refuse(this.refusal));
  }

  /** Can `each` take this shape? Only if its elements are a multiple of four, whatever the live sizes. */
  takes(shape: Shape): boolean {
    return isWhole(shape);
  }

  /** The live size of a dimension. */
  size(dim: Dim): I32 {
    return typeof dim === 'number' ? i32.const(dim) : this.fn.parameter(dim.name);
  }

  /** A table, to be loaded from. */
  table(table: Table): WasmOperand {
    return { address: i32.const(this.addressOf(table)), type: { dtype: 'f32', shape: [table.length] } };
  }

  /** Four elements as fp32, or the bits of four integers. */
  load({ address, type }: WasmOperand, at: I32, offset = 0): V128 {
    const { fn } = this;
    if (type.dtype !== 'bf16') return fn.let(v128.load(i32.add(address, at), offset));
    const packed = v128.load64Zero(i32.add(address, i32.shrU(at, i32.const(1))), offset / 2);
    return fn.let(i32x4.shl(i32x4.extendLowI16x8U(packed), i32.const(16)));
  }

  /** Four elements; to bf16 they are rounded. */
  store({ address, type }: WasmOperand, value: V128, at: I32, offset = 0): void {
    const { fn } = this;
    if (type.dtype !== 'bf16') return fn.store(i32.add(address, at), value, offset);
    const half = nearestBf16(fn, value);
    fn.storeLow64(i32.add(address, i32.shrU(at, i32.const(1))), narrowI32x4U(half, half), offset / 2);
  }

  /** One element in all lanes. */
  splat({ address }: WasmOperand, at = i32.const(0), offset = 0): V128 {
    return this.fn.let(v128.load32Splat(i32.add(address, at), offset));
  }

  /** Element `index` of a tensor of integers. */
  integer({ address }: WasmOperand, index: I32): I32 {
    return this.fn.let(i32.load(i32.add(address, this.elementAt(index))), 'n');
  }

  /** Stores the first lane as one element. */
  storeOne({ address }: WasmOperand, value: V128, at: I32, offset = 0): void {
    this.fn.storeLane32(i32.add(address, at), value, offset);
  }

  /** Four elements that lie `stride` bytes apart. */
  loadStrided({ address }: WasmOperand, at: I32, stride: number, offset = 0): V128 {
    const from = i32.add(address, at);
    let lanes = this.fn.let(v128.load32Splat(from, offset));
    for (let lane = 1; lane < LANES; lane++)
      lanes = this.fn.let(v128.load32Lane(from, lanes, lane, offset + lane * stride));
    return lanes;
  }

  storeStrided({ address }: WasmOperand, value: V128, at: I32, stride: number, offset = 0): void {
    for (let lane = 0; lane < LANES; lane++) {
      this.fn.storeLane32(i32.add(address, at), value, offset + lane * stride, lane);
    }
  }

  /** For all elements of a shape, whose number must be a multiple of four. */
  each(shape: Shape, body: Body): void {
    const [first, ...rest] = shape;
    const inner = rest.reduce<number>((n, dim) => n * Number(dim), 1);
    if (first === undefined || typeof first === 'number') return this.across(inner * (first ?? 1), body);
    const bytes = i32.mul(this.size(first), i32.const(inner * 4));
    this.fn.loop(i32.const(0), this.fn.let(bytes, 'end'), unrolled(inner) * VECTOR_BYTES, (at) => {
      for (let k = 0; k < unrolled(inner); k++) body(at, k * VECTOR_BYTES);
    });
  }

  /** For the elements of a row of `width`, a multiple of four, beginning at byte 0 or at `start`. */
  across(width: number, body: Body, start = i32.const(0)): void {
    const vectors = width / LANES;
    if (vectors <= STRAIGHT_VECTORS) {
      for (let k = 0; k < vectors; k++) body(start, k * VECTOR_BYTES);
      return;
    }
    const looped = vectors - (vectors % ACCUMULATORS);
    const step = ACCUMULATORS * VECTOR_BYTES;
    const end = this.fn.let(i32.add(start, i32.const(looped * VECTOR_BYTES)), 'end');
    this.fn.loop(start, end, step, (at) => {
      for (let k = 0; k < ACCUMULATORS; k++) body(at, k * VECTOR_BYTES);
    });
    for (let k = looped; k < vectors; k++) body(start, k * VECTOR_BYTES);
  }

  /** For each of `rows`, which have `width` columns: where it begins, and its number. */
  rows(rows: Dim, width: number, body: (row: I32, start: I32) => void): void {
    this.fn.loop(i32.const(0), this.size(rows), 1, (row) => {
      body(row, this.fn.let(i32.mul(row, i32.const(width * 4)), 'row'));
    });
  }

  /**
   * For each row over the last axis of `shape`; a row must be whole, and of several other axes none dynamic: returns false
   * where that is not so.
   */
  overRows(shape: Shape, body: (width: number, start: I32, row: I32) => void): boolean {
    const width = shape.at(-1);
    const others = shape.slice(0, -1);
    if (typeof width !== 'number' || width % LANES !== 0 || width === 0) return false;
    if (others.length !== 1 && others.some((dim) => typeof dim !== 'number')) return false;
    this.rows(others.length === 1 ? others[0] : maxElements(others), width, (row, start) => body(width, start, row));
    return true;
  }

  /** The byte of element `index` of a tensor. */
  elementAt(index: I32): I32 {
    return this.fn.let(i32.shl(index, i32.const(2)));
  }

  /** Byte `column` of the row that begins at byte `start`. */
  in(start: I32, column: I32): I32 {
    return this.fn.let(i32.add(start, column));
  }

  /** Sets all elements, whose number must be a multiple of four. */
  fill(x: WasmOperand, value: number): void {
    this.each(x.type.shape, (at, offset) => this.store(x, f32x4.const(value), at, offset));
  }

  /** Σ of terms over a row, in all lanes: `laneSum`. */
  sum(width: number, start: I32, term: Term): V128 {
    const sums = this.accumulators(0);
    this.across(
      width,
      (at, offset) => {
        const sum = sums[(offset / VECTOR_BYTES) % ACCUMULATORS];
        this.fn.set(sum, f32x4.add(sum, term(at, offset)));
      },
      start,
    );
    return this.folded(sums, (a, b) => this.f.add(a, b));
  }

  /** The largest of the terms over a row, in all lanes, NaN not counted. */
  max(width: number, start: I32, term: Term): V128 {
    const largest = this.accumulators(-Infinity);
    this.across(
      width,
      (at, offset) => {
        const max = largest[(offset / VECTOR_BYTES) % ACCUMULATORS];
        this.fn.set(max, f32x4.pmax(max, term(at, offset)));
      },
      start,
    );
    return this.folded(largest, (a, b) => this.f.larger(a, b));
  }

  /** Sixteen lanes to fold a row into. */
  accumulators(first: number): readonly Local<'v128'>[] {
    return Array.from({ length: ACCUMULATORS }, () => this.fn.let(f32x4.const(first), 'sum'));
  }

  /** Sixteen lanes folded by halves; the result is in all lanes. */
  folded([a, b, c, d]: readonly V128[], fold: (x: V128, y: V128) => V128): V128 {
    const quarter = fold(fold(a, c), fold(b, d));
    const half = fold(quarter, permute(quarter, 2, 3, 0, 1));
    return fold(half, permute(half, 1, 0, 3, 2));
  }
}

/** Vectors that a loop over elements takes at once, where a row of a dynamic number of rows has `inner` elements. */
const unrolled = (inner: number): number => (inner % SUM_LANES === 0 ? ACCUMULATORS : 1);

/** Is the number of elements a multiple of four, whatever the live sizes? */
export function isWhole(shape: Shape): boolean {
  const [first, ...rest] = shape;
  const inner = rest.reduce<number>((n, dim) => n * Number(dim), 1);
  return (typeof first === 'object' ? inner : inner * (first ?? 1)) % LANES === 0;
}
