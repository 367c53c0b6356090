/**
 * Where the keys of each query begin: i32 [B, T], for samples that lie one behind the other in a sequence. Query t of a sequence
 * sees keys begin … t, 0 ≤ begin ≤ t, in all heads; without begins it sees keys 0 … t. The same numbers may also come as rows [B·T].
 */
import { requireDType } from '../check.ts';
import { i32, type I32 } from '../cpu/wasm/instructions.ts';
import type { Kernel, WasmOperand } from '../cpu/wasm/kernel.ts';
import { ints } from '../dtype.ts';
import { ShapeError } from '../errors.ts';
import { sameDim, showShape, type Dim, type Shape } from '../shape.ts';
import type { Operand, Type } from '../type.ts';

/** Throws `DTypeError` or `ShapeError` unless `begins`, where there are some, are of B sequences of T tokens. */
export function checkBegins(op: string, begins: Type | undefined, batch: Dim, tokens: Dim): void {
  if (begins === undefined) return;
  requireDType(op, begins, 'i32');
  const { shape } = begins;
  if (shape.length === 2 && sameDim(shape[0], batch) && sameDim(shape[1], tokens)) return;
  const rows = typeof batch === 'number' && typeof tokens === 'number' ? batch * tokens : null;
  if (shape.length === 1 && rows !== null && shape[0] === rows) return;
  throw new ShapeError(op, `begins ${showShape(shape)} are not of sequences ${showShape([batch, tokens])}`);
}

/** Begin number `index`, which is query `query`'s; 0 where there are none. Throws `ShapeError` outside of 0 … `query`. */
export function beginAt(op: string, begins: Operand | undefined, index: number, query: number): number {
  if (begins === undefined) return 0;
  const begin = ints(op, begins.data)[index];
  if (begin >= 0 && begin <= query) return begin;
  throw new ShapeError(op, `keys of query ${query} begin at ${begin}, outside of 0 to ${query}`);
}

/** The same in generated code; refuses what `beginAt` does. */
export function emitBegin(kernel: Kernel, begins: WasmOperand, index: I32, query: I32): I32 {
  const begin = kernel.integer(begins, index);
  kernel.refuseIf(i32.ltU(query, begin));
  return begin;
}

/** The same in WGSL, as `begin`, in an invocation for each query [B, H, T] that is called i. */
export const beginText = ([, heads, tokens]: Shape): string => `let query = i % ${Number(tokens)}u;
let begin = u32(begins[i / ${Number(heads) * Number(tokens)}u * ${Number(tokens)}u + query]);
if (begin > query) { refuse(1u); return; }
`;
