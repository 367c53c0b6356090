/**
 * The admission of one microbatch says which of its choices get a slot of an expert, and which row that is. It is pure, on the
 * host, made once before anything is sent, from the chosen experts and their scores alone. Shape suffixes: R tokens, E experts, K
 * experts that a token visits, P choices that it may try (K but where tokens spill), S slots (rows sent).
 */
import type { MixtureConfig } from '../../models/config.ts';
import type { Capacity } from '../../topology/index.ts';

export interface AdmissionRule extends Capacity {
  readonly experts: number;
  /** K and P. */
  readonly topK: number;
  readonly choices: number;
  readonly order: MixtureConfig['drop_order'];
}

/** What the tokens of a microbatch chose, best first. */
export interface Choices {
  readonly choices_RP: Int32Array;
  readonly scores_RP: Float32Array;
  /** 0 where a row is padding, which goes nowhere; null where none is. */
  readonly live_R: Uint8Array | null;
}

/** A number from 0 to 1 for a choice: those after the first are made with probability gate / 0.2; null: all are made. */
export type Chance = ((row: number, choice: number) => number) | null;

export interface Routing {
  /** Expert of each visit: where the row went, or the choice that was dropped or left out by chance; −1 of padding. */
  readonly experts_RK: Int32Array;
  /** Row of each visit among the rows sent, −1 where it went nowhere. */
  readonly slots_RK: Int32Array;
  /** Token of each row sent: packed by expert, in order of admission inside an expert. */
  readonly order_S: Int32Array;
  /** Rows sent to each expert, and the first of them among all. */
  readonly kept_E: Int32Array;
  readonly start_E: readonly number[];
  /** Choices made before dropping, and the first ones among them, by expert. */
  readonly routed_E: Int32Array;
  readonly first_E: Int32Array;
  /** Choices made; of them those that went to an expert which was not among the K best, and those that went nowhere. */
  readonly routed: number;
  readonly spilled: number;
  readonly dropped: number;
}

/** Gate above which a choice after the first is always made: that of Mesh TensorFlow; arXiv 2006.16668 algorithm 1 has 0.5. */
const surely = 0.2;

/**
 * Admits choices to slots, group by group, until an expert is full. In the order of `position` all first choices go before all
 * second ones (arXiv 2101.03961 §2.2), and what found no slot tries the choices after the K best, if there are any. A score that
 * is no number comes last.
 */
export function admit({ choices_RP, scores_RP, live_R }: Choices, rule: AdmissionRule, chance: Chance = null): Routing {
  const { experts: E, topK: K, choices: P, size, slots } = rule;
  const R = choices_RP.length / P;
  const experts_RK = new Int32Array(R * K).fill(-1);
  const slots_RK = new Int32Array(R * K).fill(-1);
  // What is left out by chance asks for no slot, and yet counts in the gates of its token: these are shares of all K.
  const asks_RK = new Uint8Array(R * K);
  const [kept_E, routed_E, first_E, room_E] = Array.from({ length: 4 }, () => new Int32Array(E));
  let [routed, spilled, kept] = [0, 0, 0];
  const tryFor = (visit: number, expert: number): boolean => {
    if (room_E[expert] === 0) return false;
    room_E[expert]--;
    experts_RK[visit] = expert;
    slots_RK[visit] = kept_E[expert]++;
    kept++;
    return true;
  };
  for (let start = 0; start < R; start += size) {
    room_E.fill(slots);
    const rows = rowsOf(start, Math.min(size, R - start), live_R);
    for (const row of rows) {
      for (let k = 0; k < K; k++) {
        const expert = choices_RP[row * P + k];
        experts_RK[row * K + k] = expert;
        if (k > 0 && chance !== null && chance(row, k) >= gateOf(scores_RP, row * P, k, K) / surely) continue;
        asks_RK[row * K + k] = 1;
        routed++;
        routed_E[expert]++;
        if (k === 0) first_E[expert]++;
      }
    }
    for (const visit of visitsInOrder(rows, scores_RP, asks_RK, rule)) tryFor(visit, experts_RK[visit]);
    for (let p = K; p < P; p++) {
      for (const row of inOrder(rows, scores_RP, rule)) {
        const refused = firstRefused(row * K, K, asks_RK, slots_RK);
        if (refused >= 0 && tryFor(refused, choices_RP[row * P + p])) spilled++;
      }
    }
  }
  const start_E = startsOf(kept_E);
  const order_S = packed(experts_RK, slots_RK, { start_E, kept }, K);
  return { experts_RK, slots_RK, order_S, kept_E, start_E, routed_E, first_E, routed, spilled, dropped: routed - kept };
}

/** First row of each expert among rows packed by expert. */
export function startsOf(kept_E: ArrayLike<number>): number[] {
  const starts: number[] = [];
  for (let e = 0, at = 0; e < kept_E.length; at += kept_E[e], e++) starts.push(at);
  return starts;
}

/** How many of the rows are tokens. */
export const liveRows = (live_R: Uint8Array | null, rows: number): number =>
  live_R === null ? rows : live_R.reduce((sum, live) => sum + live, 0);

/** Turns slots of an expert into rows among all; returns the token of each. */
function packed(
  experts_RK: Int32Array,
  slots_RK: Int32Array,
  { start_E, kept }: { readonly start_E: readonly number[]; readonly kept: number },
  K: number,
): Int32Array {
  const order_S = new Int32Array(kept);
  for (let visit = 0; visit < slots_RK.length; visit++) {
    if (slots_RK[visit] === -1) continue;
    slots_RK[visit] = slots_RK[visit] + start_E[experts_RK[visit]];
    order_S[slots_RK[visit]] = Math.floor(visit / K);
  }
  return order_S;
}

function rowsOf(start: number, size: number, live_R: Uint8Array | null): Int32Array {
  const rows = new Int32Array(size);
  let count = 0;
  for (let row = start; row < start + size; row++) if (live_R === null || live_R[row] !== 0) rows[count++] = row;
  return rows.subarray(0, count);
}

/** Visits that ask for slots, in their order. */
function visitsInOrder(
  rows: Int32Array,
  scores_RP: Float32Array,
  asks_RK: Uint8Array,
  rule: AdmissionRule,
): Int32Array {
  const { topK: K, choices: P, order } = rule;
  const visits = new Int32Array(rows.length * K);
  let count = 0;
  const ordered = inOrder(rows, scores_RP, rule);
  for (let k = 0; k < K; k++) {
    for (const row of ordered) if (asks_RK[row * K + k] === 1) visits[count++] = row * K + k;
  }
  const made = visits.subarray(0, count);
  const scoreOf = (visit: number): number => scores_RP[Math.floor(visit / K) * P + (visit % K)];
  return order === 'probs' ? made.sort((a, b) => byScore(scoreOf(a), scoreOf(b)) || a - b) : made;
}

/** Tokens in the order in which they ask for slots. */
function inOrder(rows: Int32Array, scores_RP: Float32Array, { choices: P, order }: AdmissionRule): Int32Array {
  if (order !== 'batch_prioritized') return rows;
  return rows.slice().sort((a, b) => byScore(scores_RP[a * P], scores_RP[b * P]) || a - b);
}

/** The larger first, what is no number last. */
function byScore(a: number, b: number): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
  return b - a;
}

/** Share of a choice in what the K best of its token score. */
function gateOf(scores_RP: Float32Array, start: number, k: number, K: number): number {
  let sum = 0;
  for (let j = 0; j < K; j++) sum += scores_RP[start + j];
  return scores_RP[start + k] / sum;
}

/** The first visit of a token that asks for a slot and has none; −1 where there is none. */
function firstRefused(start: number, K: number, asks_RK: Uint8Array, slots_RK: Int32Array): number {
  for (let visit = start; visit < start + K; visit++) {
    if (asks_RK[visit] === 1 && slots_RK[visit] === -1) return visit;
  }
  return -1;
}
