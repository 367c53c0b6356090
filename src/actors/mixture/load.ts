/**
 * The load of experts as the balance loss weighs it: f of alpha · E · Σ f_i P_i (arXiv 2101.03961 eq. 5), counted over what tokens
 * chose, before dropping. No gradient flows through it. Shape suffixes: R tokens, E experts, P choices, G parts of a microbatch.
 */
import type { MixtureConfig } from '../../models/config.ts';
import type { Choices } from './admission.ts';

type BalanceRule = Pick<MixtureConfig, 'num_experts' | 'top_k' | 'aux_loss_coef' | 'aux_loss_choices'>;

/** What the microbatches of one rank chose in a step, or of all: by expert, and of how many tokens. */
export interface StepLoad {
  readonly counts: readonly number[];
  readonly live: number;
}

/** What the live rows of a run of rows chose, and how many they are: first choices, or all k. */
export function countOf(
  { choices_RP, live_R }: Choices,
  { num_experts: E, top_k: K, aux_loss_choices: which }: Omit<BalanceRule, 'aux_loss_coef'>,
  { rows, first, count }: { readonly rows: number; readonly first: number; readonly count: number },
): { counts: Int32Array; live: number } {
  const [P, counted] = [choices_RP.length / rows, which === 'first' ? 1 : K];
  const counts = new Int32Array(E);
  let live = 0;
  for (let row = first; row < first + count; row++) {
    if (live_R !== null && live_R[row] === 0) continue;
    live++;
    for (let k = 0; k < counted; k++) counts[choices_RP[row * P + k]]++;
  }
  return { counts, live };
}

/**
 * load_GE: alpha · E · f ÷ tokens of the part ÷ parts, so that the loss is Σ load_ge · Σ p_re over the tokens r of part g. Parts are
 * runs of `size` of the `rows` rows: one is a whole microbatch, or one for each sequence. f counts first choices, or all k divided by k.
 */
export function loadOf(
  choices: Choices,
  rule: BalanceRule,
  { rows, size }: { readonly rows: number; readonly size: number },
): Float32Array {
  const E = rule.num_experts;
  const parts = Math.ceil(rows / size);
  const load_GE = new Float32Array(parts * E);
  for (let part = 0; part < parts; part++) {
    const { counts, live } = countOf(choices, rule, {
      rows,
      first: part * size,
      count: Math.min(size, rows - part * size),
    });
    if (live > 0) load_GE.set(weighed({ counts, live }, rule, live * parts), part * E);
  }
  return load_GE;
}

/**
 * load_1E of a step of `microbatches`, over all their tokens: what the mean of the microbatches' losses makes alpha · E · Σ f_i P_i
 * of the whole step.
 */
export const stepLoadOf = (load: StepLoad, rule: BalanceRule, microbatches: number): Float32Array =>
  weighed(load, rule, load.live / microbatches);

/** alpha · E · f ÷ tokens, by expert. */
function weighed(
  { counts, live }: { readonly counts: ArrayLike<number>; readonly live: number },
  { num_experts: E, top_k: K, aux_loss_coef: alpha, aux_loss_choices: which }: BalanceRule,
  tokens: number,
): Float32Array {
  const counted = which === 'first' ? 1 : K;
  return Float32Array.from(counts, (count) => (live === 0 ? 0 : (alpha * E * count) / counted / live / tokens));
}
