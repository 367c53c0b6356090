/**
 * What `routerScores` and its gradient agree on: how a logit becomes a score, and what is kept of each row. Shape suffixes: R
 * rows, E experts, K taken of a row, G groups of rows.
 */
import type { Arithmetic } from '../arithmetic.ts';
import { i32, f32x4, type I32, type V128 } from '../cpu/wasm/instructions.ts';
import type { Kernel, WasmOperand } from '../cpu/wasm/kernel.ts';
import { exp, sigmoid } from '../elementary.ts';

export interface RouterScores {
  /** What a score is: a share of the row's softmax, or the logistic function of its own logit. */
  readonly score: 'softmax' | 'sigmoid';
  /** What is read of the experts taken. */
  readonly reads: 'scores' | 'logits';
  /** Rows of a group, of which the last may have fewer. */
  readonly run: number;
}

/**
 * Of a row: max x; Σ exp(x − max); Σ weights, 0 where the row is padding; its balance. The weights are exp(x − max), or the
 * scores where these are logistic.
 */
export const STATISTICS = 4;

/** Added to sums of weights, so that none is 0: nothing beside a softmax's. */
export const TINY = 1e-20;

/** The weight of an expert of logit x. */
export const weightOf = <T>(f: Arithmetic<T>, { score }: RouterScores, x: T, max: T): T =>
  score === 'softmax' ? exp(f, f.sub(x, max)) : sigmoid(f, x);

/** What is read of an expert taken, from its logit, the row's maximum and its sum of weights. */
export function readOf<T>(f: Arithmetic<T>, rule: RouterScores, x: T, max: T, sum: T): T {
  if (rule.reads === 'logits') return x;
  const weight = weightOf(f, rule, x, max);
  return rule.score === 'softmax' ? f.div(weight, sum) : weight;
}

/** Sums over a row, several at once: each as `laneSum` has it, in all lanes. */
export function sumsOver(
  kernel: Kernel,
  width: number,
  count: number,
  terms: (column: I32, offset: number) => readonly V128[],
): readonly V128[] {
  const sums = Array.from({ length: count }, () => kernel.accumulators(0));
  kernel.across(width, (column, offset) =>
    terms(column, offset).forEach((term, i) => {
      const sum = sums[i][(offset / 16) % sums[i].length];
      kernel.fn.set(sum, f32x4.add(sum, term));
    }),
  );
  return sums.map((lanes) => kernel.folded(lanes, (a, b) => kernel.f.add(a, b)));
}

/** Emits `body` for each expert taken of a row, with the byte of the pick and that of its logit. */
export function eachTaken(
  kernel: Kernel,
  taken: WasmOperand,
  width: number,
  row: I32,
  start: I32,
  body: (pick: I32, at: I32) => void,
): void {
  const picks = Number(taken.type.shape[1]);
  for (let k = 0; k < picks; k++) {
    const index = kernel.fn.let(i32.add(i32.mul(row, i32.const(picks)), i32.const(k)));
    const expert = kernel.integer(taken, index);
    kernel.refuseIf(i32.ltS(expert, i32.const(-1)));
    kernel.refuseIf(i32.geS(expert, i32.const(width)));
    kernel.fn.if(i32.geS(expert, i32.const(0)), () =>
      body(kernel.elementAt(index), kernel.in(start, kernel.elementAt(expert))),
    );
  }
}

/** The byte where the loads of a row's group begin. */
export const loadStart = (kernel: Kernel, row: I32, { run }: RouterScores, width: number): I32 =>
  kernel.fn.let(i32.mul(i32.divU(row, i32.const(run)), i32.const(width * 4)));
