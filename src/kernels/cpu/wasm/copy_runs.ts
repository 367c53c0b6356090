/** Code that moves runs of elements: what slicing, joining and exchanging axes come to where the last axis stays. */
import { i32, type I32 } from './instructions.ts';
import type { Kernel, WasmOperand } from './kernel.ts';

/** An axis that is walked: how often, and how many elements each step goes in source and target. */
export interface Walk {
  readonly count: number;
  readonly from: number;
  readonly to: number;
}

/**
 * Copies runs of `length` elements from `x` to `y`, the last of `walks` fastest, the first run from and to element `first`.
 * Returns false where elements have no 32 bits, or runs are no multiple of four.
 */
export function copyRuns(
  kernel: Kernel,
  x: WasmOperand,
  y: WasmOperand,
  length: number,
  walks: readonly Walk[],
  first: { readonly from: number; readonly to: number } = { from: 0, to: 0 },
): boolean {
  if (x.type.dtype === 'bf16' || length === 0 || !kernel.takes([length])) return false;
  const walk = ([axis, ...inner]: readonly Walk[], from: I32, to: I32): void => {
    if (axis === undefined) {
      kernel.across(length, (at, offset) => {
        kernel.store(y, kernel.load(x, kernel.in(from, at), offset), kernel.in(to, at), offset);
      });
      return;
    }
    kernel.fn.loop(i32.const(0), i32.const(axis.count), 1, (i) => {
      const step = (elements: number): I32 => i32.mul(i, i32.const(elements * 4));
      walk(inner, kernel.in(from, step(axis.from)), kernel.in(to, step(axis.to)));
    });
  };
  walk(
    walks.filter(({ count }) => count !== 1),
    i32.const(first.from * 4),
    i32.const(first.to * 4),
  );
  return true;
}
