/** Capacity bounds what a router may send an expert of one microbatch, and so what memory the expert takes. */
import type { MoeSection } from './schema.ts';

export type CapacityRule = Pick<
  MoeSection,
  | 'num_experts'
  | 'top_k'
  | 'capacity_factor'
  | 'eval_capacity_factor'
  | 'capacity_rounding'
  | 'min_capacity'
  | 'group_size'
  | 'overflow'
>;

export interface Capacity {
  /** Tokens among which slots are given out: runs of a microbatch, of which the last may have fewer. */
  readonly size: number;
  /** Slots of one expert in each run. */
  readonly slots: number;
}

/**
 * Slots of one expert for a microbatch of so many tokens. In each group of S tokens `factor · S · top_k / num_experts`, rounded,
 * at least `min_capacity`, at most S (arXiv 2101.03961 eq. 3); dropless S, since a token visits an expert once.
 */
export function capacityOf(rule: CapacityRule, tokens: number, isTraining: boolean): Capacity {
  const size = rule.group_size ?? tokens;
  if (rule.overflow === 'dropless') return { size, slots: size };
  const factor = isTraining ? rule.capacity_factor : rule.eval_capacity_factor;
  // Rounded to 1e-9 first: a float's last bit must not add a slot.
  const share = Math.round(((factor * size * rule.top_k) / rule.num_experts) * 1e9) / 1e9;
  const rounded = rule.capacity_rounding === 'ceil' ? Math.ceil(share) : Math.floor(share);
  return { size, slots: Math.min(size, Math.max(rounded, rule.min_capacity)) };
}

/** Most rows that an expert gets of a microbatch of so many tokens. */
export function rowsOfExpert(rule: CapacityRule, tokens: number, isTraining: boolean): number {
  const { size, slots } = capacityOf(rule, tokens, isTraining);
  return (tokens / size) * slots;
}

/** The same in any pass. */
export const mostRowsOf = (rule: CapacityRule, tokens: number): number =>
  Math.max(rowsOfExpert(rule, tokens, true), rowsOfExpert(rule, tokens, false));

/** Choices that a token may try: those that it visits, and where they spill those after. */
export const choicesOf = ({ top_k: K, overflow, spill_choices: most, num_experts: E }: ChoicesRule): number =>
  overflow === 'spill' ? Math.min(E, Math.max(K, most)) : K;

type ChoicesRule = Pick<MoeSection, 'top_k' | 'overflow' | 'spill_choices' | 'num_experts'>;
