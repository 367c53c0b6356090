/**
 * Which keys a query sees: an interval, and nothing of the others. Causal attention ends it behind the query's own place, a
 * window W begins it W − 1 keys before that; begins and ends, i32 [B, Tq], give the first key and the one behind the last. What
 * is said by several of them is their intersection, which may be empty.
 */
import { i32, type I32 } from '../cpu/wasm/instructions.ts';
import type { Kernel, WasmOperand } from '../cpu/wasm/kernel.ts';
import { ints } from '../dtype.ts';
import { ShapeError } from '../errors.ts';
import type { Operand } from '../type.ts';
import type { Extras } from './attention_extras.ts';

/** What holds of every sequence. */
export interface FixedMask {
  /** As many queries as keys, and each sees keys up to its own. */
  readonly causal: boolean;
  /** Of causal attention: the query's own key is the last of so many. */
  readonly window: number | null;
}

/** Keys `begin` to before `end`. */
export interface Interval<T = number> {
  readonly begin: T;
  readonly end: T;
}

/** Of `keys` keys those that a query sees by what holds of every sequence; never empty. */
export const fixedInterval = ({ causal, window }: FixedMask, query: number, keys: number): Interval => ({
  begin: window === null ? 0 : Math.max(0, query + 1 - window),
  end: causal ? query + 1 : keys,
});

/** Number `index` of begins or ends, which is query `query`'s. Throws `ShapeError` outside of 0 … `keys`. */
function placeAt(op: string, verb: string, places: Operand, index: number, query: number, keys: number): number {
  const place = ints(op, places.data)[index];
  if (place >= 0 && place <= keys) return place;
  throw new ShapeError(op, `keys of query ${query} ${verb} at ${place}, outside of 0 to ${keys}`);
}

/** Of `keys` keys those that query `query` sees, which is number `index` of all sequences' queries; begin ≤ end. */
export function intervalOf(
  op: string,
  mask: FixedMask,
  { begins, ends }: Extras<Operand>,
  index: number,
  query: number,
  keys: number,
): Interval {
  let { begin, end } = fixedInterval(mask, query, keys);
  if (begins !== undefined) begin = Math.max(begin, placeAt(op, 'begin', begins, index, query, keys));
  if (ends !== undefined) end = Math.min(end, placeAt(op, 'end', ends, index, query, keys));
  return { begin: Math.min(begin, end), end };
}

const smaller = (kernel: Kernel, a: I32, b: I32): I32 => kernel.fn.let(i32.select(a, b, i32.ltS(a, b)));
const larger = (kernel: Kernel, a: I32, b: I32): I32 => kernel.fn.let(i32.select(a, b, i32.ltS(b, a)));

/**
 * The same in generated code, of keys `first` to before `last` and counted from `first`; begin null: it is 0. Refuses what
 * `intervalOf` throws for.
 */
export function emitInterval(
  kernel: Kernel,
  { causal, window }: FixedMask,
  { begins, ends }: Extras<WasmOperand>,
  { index, query, keys, first, last }: { index: I32; query: I32; keys: number; first: number; last: number },
): Interval<I32> | { readonly begin: null; readonly end: I32 } {
  const { fn } = kernel;
  const none = i32.const(0);
  const place = (places: WasmOperand): I32 => {
    const at = kernel.integer(places, index);
    kernel.refuseIf(i32.ltU(i32.const(keys), at));
    return fn.let(i32.sub(at, i32.const(first)));
  };
  let begin: I32 | null = null;
  let end = causal ? fn.let(i32.add(query, i32.const(1 - first)), 'live') : i32.const(last - first);
  if (window !== null) begin = larger(kernel, fn.let(i32.add(query, i32.const(1 - first - window))), none);
  if (begins !== undefined) begin = larger(kernel, place(begins), begin ?? none);
  if (ends !== undefined) end = larger(kernel, smaller(kernel, place(ends), end), none);
  return begin === null ? { begin, end } : { begin: smaller(kernel, begin, end), end };
}

/**
 * The same in WGSL: `begin` and `end` of the query that is called `query`. `place` is the number of it among the queries of
 * all sequences, to be looked up in buffers `begins` and `ends`.
 */
export function intervalText(mask: FixedMask, has: Extras<unknown>, place: string, keys: number): string {
  const { causal, window } = mask;
  const bound = (name: string): string =>
    `let ${name}_here = u32(${name}[${place}]);\nif (${name}_here > ${keys}u) { refuse(1u); return; }\n`;
  const fromWindow = window === null ? '0u' : `max(query + 1u, ${window}u) - ${window}u`;
  const toOwn = causal ? 'query + 1u' : `${keys}u`;
  return [
    has.begins === undefined ? '' : bound('begins'),
    has.ends === undefined ? '' : bound('ends'),
    `let begin = ${has.begins === undefined ? fromWindow : `max(begins_here, ${fromWindow})`};\n`,
    `let end = ${has.ends === undefined ? toOwn : `min(ends_here, ${toOwn})`};\n`,
  ].join('');
}
