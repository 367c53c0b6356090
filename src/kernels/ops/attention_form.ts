/**
 * Attributes that attention and its gradient share, and their operands by name: q, k, v, what is given beside them, and for
 * the gradient what the forward made and dO.
 */
import { extrasOf, type Extra, type Extras } from './attention_extras.ts';
import type { FixedMask } from './attention_mask.ts';

export interface AttentionForm extends FixedMask {
  /** What q kᵀ is multiplied by. */
  readonly scale: number;
  /** What there is beside q, k and v. */
  readonly given: readonly Extra[];
}

export interface ForwardOperands<T> {
  readonly q: T;
  readonly k: T;
  readonly v: T;
  readonly extras: Extras<T>;
}

export interface GradientOperands<T> extends ForwardOperands<T> {
  readonly o: T;
  readonly statistics: T;
  readonly dO: T;
}

export const forwardOperands = <T>([q, k, v, ...rest]: readonly T[], { given }: AttentionForm): ForwardOperands<T> => ({
  q,
  k,
  v,
  extras: extrasOf(rest, given),
});

export function gradientOperands<T>(operands: readonly T[], form: AttentionForm): GradientOperands<T> {
  const [o, statistics, dO] = operands.slice(-3);
  return { ...forwardOperands(operands.slice(0, -3), form), o, statistics, dO };
}
