/**
 * The auxiliary losses of a router and their gradients, for one microbatch of one layer (arXiv 2101.03961 eq. 4 to 6; the z-loss is of 2202.08906). Sums run in
 * float64 in token order. Shape suffixes: R tokens, E experts.
 */

import { isLive, liveRows } from './routing.ts';

export interface BalanceRule {
  readonly experts: number;
  readonly auxCoef: number;
  readonly zCoef: number;
}

export interface Balance {
  /** alpha · E · Σ f_i P_i: alpha at perfect balance (Switch Transformers eq. 4). */
  readonly auxLoss: number;
  /** cz · mean over tokens of logsumexp(logits)². */
  readonly zLoss: number;
}

/** Both losses, from first choices counted before dropping; over the rows that are tokens. */
export function balance(
  logits_RE: Float32Array,
  probs_RE: Float32Array,
  first_E: Int32Array,
  { experts: E, auxCoef, zCoef }: BalanceRule,
  live_R: Uint8Array | null = null,
): Balance {
  const rows = probs_RE.length / E;
  const R = liveRows(live_R, rows);
  if (R === 0) return { auxLoss: 0, zLoss: 0 };
  const mass_E = new Float64Array(E);
  for (let t = 0; t < rows; t++) {
    if (isLive(live_R, t)) for (let e = 0; e < E; e++) mass_E[e] += probs_RE[t * E + e];
  }
  let dot = 0;
  for (let e = 0; e < E; e++) dot += (first_E[e] / R) * (mass_E[e] / R);
  let squares = 0;
  if (zCoef > 0) {
    for (let t = 0; t < rows; t++) if (isLive(live_R, t)) squares += logSumExp(logits_RE, t, E) ** 2;
  }
  return { auxLoss: auxCoef * E * dot, zLoss: (zCoef * squares) / R };
}

/**
 * Adds the gradients of both losses, times `share` (the loss scale / microbatches of the step), to the gradients by probabilities
 * and by logits. f carries no gradient.
 */
export function addBalanceGradient(
  logits_RE: Float32Array,
  probs_RE: Float32Array,
  first_E: Int32Array,
  { experts: E, auxCoef, zCoef }: BalanceRule,
  share: number,
  { dProbs_RE, dLogits_RE }: { readonly dProbs_RE: Float32Array; readonly dLogits_RE: Float32Array },
  live_R: Uint8Array | null = null,
): void {
  const rows = probs_RE.length / E;
  const R = liveRows(live_R, rows);
  for (let i = 0; i < probs_RE.length; i++) {
    if (!isLive(live_R, Math.floor(i / E))) continue;
    dProbs_RE[i] = dProbs_RE[i] + (share * auxCoef * E * first_E[i % E]) / R / R;
  }
  if (zCoef === 0) return;
  for (let t = 0; t < rows; t++) {
    if (!isLive(live_R, t)) continue;
    const factor = (share * zCoef * 2 * logSumExp(logits_RE, t, E)) / R;
    for (let e = 0; e < E; e++) dLogits_RE[t * E + e] = dLogits_RE[t * E + e] + factor * probs_RE[t * E + e];
  }
}

function logSumExp(logits_RE: Float32Array, token: number, E: number): number {
  const row = logits_RE.subarray(token * E, (token + 1) * E);
  const top = row.reduce((m, x) => Math.max(m, x), -Infinity);
  return top + Math.log(row.reduce((sum, x) => sum + Math.exp(x - top), 0));
}
