/**
 * A row of which only some elements count, the first ones or those behind a begin, as is known when the code runs. Sixteen at a
 * time, counted from the row's beginning; in partly live sixteens a mask says which lanes count. The row's memory is a multiple of
 * sixteen wide.
 */
import { SUM_LANES } from '../../lane_sum.ts';
import { f32x4, i32, i32x4, v128, type I32, type V128 } from './instructions.ts';
import type { Kernel, WasmOperand } from './kernel.ts';

/** Null where all four lanes count. */
export type Mask = V128 | null;
type MaskedBody = (at: I32, offset: number, mask: Mask) => void;
type MaskedTerm = (at: I32, offset: number, mask: Mask) => V128;

const VECTORS = SUM_LANES / 4;
const VECTOR_BYTES = 16;
const CHUNK_BYTES = VECTORS * VECTOR_BYTES;

/** The sixteen with the first live element, where that need not be the row's first. */
interface Head {
  /** Its byte. */
  readonly at: I32;
  /** Elements of it before the first live one; 0: it is a whole sixteen, or the tail. */
  readonly skipped: I32;
  /** Elements of it before the end of the live ones, which may lie behind it. */
  readonly live: I32;
  /** The byte where sixteens begin of which none is skipped. */
  readonly wholeStart: I32;
  /** Not 0: the last sixteen is another one, and partly live. */
  readonly hasTail: I32;
}

export class LiveRow {
  private readonly kernel: Kernel;
  private readonly start: I32;
  /** The byte where whole sixteens end. */
  private readonly wholeEnd: I32;
  /** Live elements of the sixteen there. */
  private readonly rest: I32;
  private readonly end: I32;
  /** Null where the first element counts, whatever is live. */
  private readonly head: Head | null;

  /** The row of `width` elements that begins at byte `start`, of which those before `live`, and from `begin` on, count. */
  constructor(kernel: Kernel, width: number, start: I32, live: I32, begin: I32 | null = null) {
    const { fn } = kernel;
    this.kernel = kernel;
    this.start = start;
    const chunks = i32.shrU(live, i32.const(Math.log2(SUM_LANES)));
    this.wholeEnd = fn.let(i32.add(start, i32.mul(chunks, i32.const(CHUNK_BYTES))), 'whole');
    this.rest = fn.let(i32.and(live, i32.const(SUM_LANES - 1)), 'rest');
    this.end = fn.let(i32.add(start, i32.const(width * 4)), 'end');
    this.head = begin === null ? null : this.headAt(begin, live);
  }

  each(body: MaskedBody): void {
    const { fn } = this.kernel;
    if (this.head !== null) this.eachOfHead(this.head, body);
    fn.loop(this.head?.wholeStart ?? this.start, this.wholeEnd, CHUNK_BYTES, (at) => {
      for (let k = 0; k < VECTORS; k++) body(at, k * VECTOR_BYTES, null);
    });
    fn.if(this.head?.hasTail ?? this.rest, () => {
      for (let k = 0; k < VECTORS; k++) {
        const lanes = fn.constant(i32x4.const(4 * k, 4 * k + 1, 4 * k + 2, 4 * k + 3));
        body(this.wholeEnd, k * VECTOR_BYTES, fn.let(i32x4.gtS(i32x4.splat(this.rest), lanes), 'mask'));
      }
    });
  }

  /** Σ of terms, in the order of `laneSum`; masked lanes must be 0. */
  sum(term: MaskedTerm): V128 {
    const { fn, f } = this.kernel;
    const sums = this.kernel.accumulators(0);
    this.each((at, offset, mask) => {
      const sum = sums[offset / VECTOR_BYTES];
      fn.set(sum, f32x4.add(sum, term(at, offset, mask)));
    });
    return this.kernel.folded(sums, (a, b) => f.add(a, b));
  }

  /** The largest term, NaN not counted. */
  max(term: MaskedTerm): V128 {
    const { fn, f } = this.kernel;
    const largest = this.kernel.accumulators(-Infinity);
    this.each((at, offset, mask) => {
      const max = largest[offset / VECTOR_BYTES];
      const x = term(at, offset, mask);
      const counted = mask === null ? x : v128.bitselect(x, f.constant(-Infinity), mask);
      fn.set(max, f32x4.pmax(max, counted));
    });
    return this.kernel.folded(largest, (a, b) => f.larger(a, b));
  }

  /** `x`, and 0 where it does not count. */
  live(x: V128, mask: Mask): V128 {
    return mask === null ? x : this.kernel.fn.let(v128.and(x, mask));
  }

  /** Sets what no sixteen with a live element has to 0. */
  zeroRest(x: WasmOperand): void {
    const { fn } = this.kernel;
    if (this.head !== null) {
      fn.loop(this.start, this.head.at, VECTOR_BYTES, (at) => this.kernel.store(x, f32x4.const(0), at));
    }
    const from = fn.let(i32.add(this.wholeEnd, i32.mul(i32.ltU(i32.const(0), this.rest), i32.const(CHUNK_BYTES))));
    fn.loop(from, this.end, VECTOR_BYTES, (at) => this.kernel.store(x, f32x4.const(0), at));
  }

  private headAt(begin: I32, live: I32): Head {
    const { fn } = this.kernel;
    const skipped = fn.let(i32.and(begin, i32.const(SUM_LANES - 1)), 'skipped');
    const first = fn.let(i32.sub(begin, skipped));
    const at = fn.let(i32.add(this.start, i32.shl(first, i32.const(2))), 'head');
    const isPart = i32.ltU(i32.const(0), skipped);
    const wholeStart = fn.let(i32.add(at, i32.mul(isPart, i32.const(CHUNK_BYTES))), 'from');
    const hasTail = fn.let(i32.mul(this.rest, i32.geU(this.wholeEnd, wholeStart)), 'tail');
    return { at, skipped, live: fn.let(i32.sub(live, first)), wholeStart, hasTail };
  }

  private eachOfHead({ at, skipped, live }: Head, body: MaskedBody): void {
    const { fn } = this.kernel;
    fn.if(skipped, () => {
      const last = fn.let(i32x4.splat(i32.sub(skipped, i32.const(1))));
      for (let k = 0; k < VECTORS; k++) {
        const lanes = fn.constant(i32x4.const(4 * k, 4 * k + 1, 4 * k + 2, 4 * k + 3));
        const mask = v128.and(i32x4.gtS(lanes, last), i32x4.gtS(i32x4.splat(live), lanes));
        body(at, k * VECTOR_BYTES, fn.let(mask, 'mask'));
      }
    });
  }
}
