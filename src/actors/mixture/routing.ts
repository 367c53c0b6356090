/**
 * The routing decision of one microbatch: which expert takes which token in which slot. Pure, on the host, made once
 * before anything is sent. Shape suffixes: R tokens, E experts, K choices a token, S slots (rows sent).
 */

export interface RoutingRule {
  readonly experts: number;
  readonly topK: number;
  readonly capacity: number;
}

export interface Routing {
  /** Expert of each choice, best first; ties go to the lowest index. */
  readonly experts_RK: Int32Array;
  /** Router probability of each choice, not renormalised (arXiv 2101.03961 eq. 2). */
  readonly gates_RK: Float32Array;
  /** Row of each choice among the rows sent, −1 where it was dropped. */
  readonly slots_RK: Int32Array;
  /** Token of each row sent: packed by expert, in order of admission inside an expert. */
  readonly order_S: Int32Array;
  /** Choices by expert before dropping, and rows sent after. */
  readonly routed_E: Int32Array;
  readonly kept_E: Int32Array;
  /** First choices by expert, before dropping: the f of the load-balancing loss. */
  readonly first_E: Int32Array;
}

/**
 * Chooses the top k experts of each token and admits choices to slots: all first choices in sequence order, then all
 * second choices, and so on, until an expert is full (arXiv 2101.03961 §2.2). Where live_R is 0 a row is padding and
 * goes nowhere. A probability that is not finite is never chosen for itself: such a token goes to the lowest experts that
 * are left, its gate carries the number on to the loss, and the sentinel judges the step.
 */
export function route(
  probs_RE: Float32Array,
  { experts: E, topK: K, capacity }: RoutingRule,
  live_R: Uint8Array | null = null,
): Routing {
  const R = probs_RE.length / E;
  const experts_RK = new Int32Array(R * K);
  const gates_RK = new Float32Array(R * K);
  for (let t = 0; t < R; t++) if (isLive(live_R, t)) chooseTopK(probs_RE, t, E, K, experts_RK, gates_RK);

  const routed_E = new Int32Array(E);
  const first_E = new Int32Array(E);
  const kept_E = new Int32Array(E);
  const slots_RK = new Int32Array(R * K).fill(-1);
  for (let k = 0; k < K; k++) {
    for (let t = 0; t < R; t++) {
      if (!isLive(live_R, t)) continue;
      const e = experts_RK[t * K + k];
      routed_E[e]++;
      if (k === 0) first_E[e]++;
      if (kept_E[e] < capacity) slots_RK[t * K + k] = kept_E[e]++;
    }
  }
  const start_E = startsOf(kept_E);
  const order_S = new Int32Array(kept_E.reduce((sum, n) => sum + n, 0));
  for (let i = 0; i < R * K; i++) {
    if (slots_RK[i] === -1) continue;
    slots_RK[i] = slots_RK[i] + start_E[experts_RK[i]];
    order_S[slots_RK[i]] = Math.floor(i / K);
  }
  return { experts_RK, gates_RK, slots_RK, order_S, routed_E, kept_E, first_E };
}

/** Whether a row is a token; where there is no mask all are. */
export const isLive = (live_R: Uint8Array | null, row: number): boolean => live_R === null || live_R[row] !== 0;

/** How many of the rows are tokens. */
export const liveRows = (live_R: Uint8Array | null, rows: number): number =>
  live_R === null ? rows : live_R.reduce((sum, live) => sum + live, 0);

/** First row of each expert among rows packed by expert. */
export function startsOf(kept_E: ArrayLike<number>): number[] {
  const starts: number[] = [];
  for (let e = 0, at = 0; e < kept_E.length; at += kept_E[e], e++) starts.push(at);
  return starts;
}

function chooseTopK(
  probs_RE: Float32Array,
  token: number,
  E: number,
  K: number,
  experts_RK: Int32Array,
  gates_RK: Float32Array,
): void {
  for (let k = 0; k < K; k++) {
    let best = -1;
    for (let e = 0; e < E; e++) {
      if (chosen(experts_RK, token * K, k, e)) continue;
      if (best === -1 || probs_RE[token * E + e] > probs_RE[token * E + best]) best = e;
    }
    experts_RK[token * K + k] = best;
    gates_RK[token * K + k] = probs_RE[token * E + best];
  }
}

function chosen(experts_RK: Int32Array, at: number, count: number, expert: number): boolean {
  for (let j = 0; j < count; j++) if (experts_RK[at + j] === expert) return true;
  return false;
}
