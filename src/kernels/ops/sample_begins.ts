/**
 * Where samples begin that lie one behind the other in a sequence, for ops that carry something from token to token: i32 [B, T], or
 * rows [B·T], for each token the place where its sample begins. What is carried is zero at that place. A sample that began before
 * the first token has −1, if there is a state for it to go on from.
 */
import { i32, type I32 } from '../cpu/wasm/instructions.ts';
import type { Kernel, WasmOperand } from '../cpu/wasm/kernel.ts';
import { ints } from '../dtype.ts';
import { ShapeError } from '../errors.ts';
import type { Dim } from '../shape.ts';
import type { Operand } from '../type.ts';

/** Whether a sample begins at token `t` of a sequence. */
export type IsBegin = (sequence: number, t: number) => boolean;

/** Throws `ShapeError` where a token's begin is neither its own place nor what the token before has. */
export function beginsOf(op: string, begins: Operand | undefined, tokens: number, hasState: boolean): IsBegin {
  if (begins === undefined) return () => false;
  const places = ints(op, begins.data);
  places.forEach((begin, row) => {
    const t = row % tokens;
    if (begin === t || (t > 0 ? begin === places[row - 1] : hasState && begin === -1)) return;
    throw new ShapeError(op, `the sample of token ${t} begins at ${begin}, neither there nor where that before does`);
  });
  return (sequence, t) => places[sequence * tokens + t] === t;
}

/** Refuses what `beginsOf` does, in generated code. */
export function emitBeginsCheck(
  kernel: Kernel,
  begins: WasmOperand,
  batch: Dim,
  tokens: number,
  hasState: boolean,
): void {
  const { fn } = kernel;
  fn.loop(i32.const(0), kernel.size(batch), 1, (sequence) => {
    const before = fn.let(i32.const(hasState ? -1 : 0), 'begin');
    fn.loop(i32.const(0), i32.const(tokens), 1, (t) => {
      const begin = kernel.integer(begins, i32.add(i32.mul(sequence, i32.const(tokens)), t));
      kernel.refuseIf(i32.and(i32.ne(begin, t), i32.ne(begin, before)));
      fn.set(before, begin);
    });
  });
}

/** Is token `t`, row `row` of begins, where a sample begins? */
export const emitIsBegin = (kernel: Kernel, begins: WasmOperand, row: I32, t: I32): I32 =>
  i32.eq(kernel.integer(begins, row), t);

/** Refuses what `beginsOf` does, in WGSL, where `row` is that of begins and `t` its token. */
export const beginsCheckText = (hasState: boolean): string =>
  `if (begins[row] != i32(t)) {
  if (t == 0u) { if (${hasState ? 'begins[row] != -1' : 'true'}) { refuse(1u); } }
  else if (begins[row] != begins[row - 1u]) { refuse(1u); }
}`;
