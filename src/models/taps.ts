/**
 * Taps let a block show what happens inside it: for each sequence the sum of |x| over its live rows, channel by channel, from which
 * the importance of neurons, heads and channels follows (arXiv 2407.14679 §2.2). A model is traced with taps for passes that
 * observe, and without for all others, whose programs know nothing of them. Shape suffixes: see `model.ts`; X channels of any kind.
 */
import type { Value } from '../kernels/graph.ts';
import { add } from '../kernels/ops/add.ts';
import { mul } from '../kernels/ops/mul.ts';
import { neg } from '../kernels/ops/neg.ts';
import { reduceSum } from '../kernels/ops/reduce_sum.ts';
import { relu } from '../kernels/ops/relu.ts';
import { reshape } from '../kernels/ops/reshape.ts';
import { transpose } from '../kernels/ops/transpose.ts';
import { f32, type InputSpec } from '../kernels/trace.ts';
import type { TraceSettings } from './trace_settings.ts';

/** Shows x_RX under a name; `make` is not called where nobody looks, so that no program has what only a tap needs. */
export type Tap = (name: string, make: () => Value) => void;

const noTap: Tap = () => undefined;

/** What a program with taps calls the mask of its rows: f32 [R, 1], 0 where a row is padding. */
export const LIVE = 'live_R1';

const prefix = 'tap_';

/** Whether an output of a program is a tap's: nothing is learnt from it. */
export const isTap = (output: string): boolean => output.startsWith(prefix);

/** The microbatches that a block is traced for, where it has taps. */
export type TapShape = Pick<TraceSettings, 'batch' | 'sequence'>;

/** The taps of a block that is traced with these settings; null where there are none. */
export const tapsOf = ({ taps, batch, sequence }: TraceSettings): TapShape | null =>
  taps ? { batch, sequence } : null;

/** What a block with taps reads beside its own. */
export const tapReads = (shape: TapShape | null): Readonly<Record<string, InputSpec>> =>
  shape === null ? {} : { [LIVE]: f32([shape.batch * shape.sequence, 1]) };

/**
 * Traces with taps: what `apply` gives, and for each tap an output `tap_<name>`, f32 [B, X]. Throws `TypeError` for a name that is
 * taken.
 */
export function tapped(
  shape: TapShape | null,
  live_R1: Value | undefined,
  apply: (tap: Tap) => Readonly<Record<string, Value>>,
): Readonly<Record<string, Value>> {
  if (shape === null || live_R1 === undefined) return apply(noTap);
  const outputs: Record<string, Value> = {};
  const made = apply((name, make) => {
    if (`${prefix}${name}` in outputs) throw new TypeError(`two taps of a block are named ${name}`);
    outputs[`${prefix}${name}`] = sumOfSequences(make(), live_R1, shape);
  });
  return { ...made, ...outputs };
}

/** Σ |x| over the live rows of each sequence, in their order. */
function sumOfSequences(x_RX: Value, live_R1: Value, { batch: B, sequence: T }: TapShape): Value {
  const X = x_RX.type.shape[1];
  const sizes_RX = mul(add(relu(x_RX), relu(neg(x_RX))), live_R1);
  return reduceSum(transpose(reshape(sizes_RX, [B, T, X]), [1, 0, 2]), [0]);
}
