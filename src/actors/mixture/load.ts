/**
 * The load of experts as the balance loss weighs it: f of alpha · E · Σ f_i P_i (arXiv 2101.03961 eq. 5), counted over what tokens
 * chose, before dropping. No gradient flows through it. Shape suffixes: R tokens, E experts, P choices, G parts of a microbatch.
 */
import type { MixtureConfig } from '../../models/config.ts';
import type { Choices } from './admission.ts';

type BalanceRule = Pick<MixtureConfig, 'num_experts' | 'top_k' | 'aux_loss_coef' | 'aux_loss_choices'>;

/**
 * load_GE: alpha · E · f ÷ tokens of the part ÷ parts, so that the loss is Σ load_ge · Σ p_re over the tokens r of part g. Parts
 * are equal runs of `rows` rows: one is the whole microbatch, or one for each sequence. f counts first choices, or all k divided by k.
 */
export function loadOf(
  { choices_RP, live_R }: Choices,
  { num_experts: E, top_k: K, aux_loss_coef: alpha, aux_loss_choices: which }: BalanceRule,
  { rows, parts }: { readonly rows: number; readonly parts: number },
): Float32Array {
  const load_GE = new Float32Array(parts * E);
  const [P, size, counted] = [choices_RP.length / rows, rows / parts, which === 'first' ? 1 : K];
  const count_E = new Int32Array(E);
  for (let part = 0; part < parts; part++) {
    count_E.fill(0);
    let live = 0;
    for (let row = part * size; row < (part + 1) * size; row++) {
      if (live_R !== null && live_R[row] === 0) continue;
      live++;
      for (let k = 0; k < counted; k++) count_E[choices_RP[row * P + k]]++;
    }
    if (live === 0) continue;
    for (let e = 0; e < E; e++) load_GE[part * E + e] = (alpha * E * count_E[e]) / counted / live / live / parts;
  }
  return load_GE;
}
