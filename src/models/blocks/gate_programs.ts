/**
 * A router as two programs after its logits: `choose` makes what the host decides by, `gates` makes what the host decided into
 * gates and auxiliary losses, differentiable by the logits (`vjp` with respect to them alone). Passes over R × E numbers:
 * `gates` one forward and one backward, which makes nothing of that size but the gradient; `choose` two, one that makes scores
 * and one that looks at them, and of a biased softmax a third between them. Shape suffixes: R tokens, E experts, K experts
 * that take a token, P experts that the host may choose from, G groups of tokens.
 */
import { add } from '../../kernels/ops/add.ts';
import { gatherColumns } from '../../kernels/ops/gather_columns.ts';
import { reduceSum } from '../../kernels/ops/reduce_sum.ts';
import { routerGates } from '../../kernels/ops/router_gates.ts';
import { routerScores } from '../../kernels/ops/router_scores.ts';
import { sigmoid } from '../../kernels/ops/sigmoid.ts';
import { softmax } from '../../kernels/ops/softmax.ts';
import { topK } from '../../kernels/ops/top_k.ts';
import { ShapeError } from '../../kernels/errors.ts';
import type { Value } from '../../kernels/graph.ts';
import type { Program } from '../../kernels/program.ts';
import { dynamic } from '../../kernels/shape.ts';
import { f32, i32, trace } from '../../kernels/trace.ts';

export interface GateRule {
  readonly experts: number;
  readonly topK: number;
  /** What the host may choose from: `topK`, or more where tokens may spill. */
  readonly choices: number;
  readonly scoreFunc: 'softmax' | 'sigmoid';
  /** Gates are scores among all experts, or a softmax over the logits of those taken, whatever the scores are. */
  readonly scoreOrder: 'pre_softmax' | 'topk_softmax';
  /** Gates are divided by their sum. */
  readonly routeNorm: boolean;
  readonly routeScale: number;
  /** A bias is added to scores for choosing, and never counts in a gate (arXiv 2408.15664). */
  readonly isBiased: boolean;
  /** Equal runs of experts, of which a token may choose from the best `limitedGroups`; 1 and 1: from all. */
  readonly groups: number;
  readonly limitedGroups: number;
  /** Equal runs of a microbatch's rows, each balanced by itself: 1 for the microbatch, its sequences for each of them. */
  readonly auxGroups: number;
}

export interface GatePrograms {
  /**
   * logits_RE and, where biased, bias_E → choices_RP (i32), best first, and scores_RP: their scores, without the bias.
   */
  readonly choose: Program;
  /**
   * logits_RE, taken_RK (i32, −1 for none), live_R1 (1 for tokens, 0 for padding), load_GE and z_weight_1 → gates_RK,
   * aux_1 and z_1. aux = Σ live · score · load, the scores of a token summing to 1: a load of coefficient · experts ·
   * share of the choices ÷ (tokens · groups), both of its group, gives arXiv 2101.03961 eq. 4. z = weight · Σ live ·
   * logsumexp². Groups that have no rows, as in an evaluation of fewer, count for nothing. A padding row has gates of 0.
   */
  readonly gates: Program;
}

/** The programs of a microbatch of `rows` at most. Throws `ShapeError` where groups do not divide rows or experts. */
export function gatePrograms(rule: GateRule, rows: number): GatePrograms {
  if (rows % rule.auxGroups !== 0) {
    throw new ShapeError('gates', `${rule.auxGroups} groups do not divide ${rows} rows`);
  }
  return { choose: chooseProgram(rule, rows), gates: gatesProgram(rule, rows) };
}

function chooseProgram(rule: GateRule, rows: number): Program {
  const { experts: E, choices, scoreFunc, isBiased, groups, limitedGroups } = rule;
  const logits = { logits_RE: f32([dynamic('tokens', rows), E]) };
  const limit = { groups, keep: limitedGroups };
  const scoresOf = scoreFunc === 'softmax' ? softmax : sigmoid;
  if (!isBiased) {
    return trace('choose', logits, (w) => {
      const { values, indices } = topK(scoresOf(w.logits_RE), choices, limit);
      return { choices_RP: indices, scores_RP: values };
    });
  }
  return trace('choose_biased', { ...logits, bias_E: f32([E]) }, (w) => {
    const scores_RE = scoresOf(w.logits_RE);
    const choices_RP = topK(add(scores_RE, w.bias_E), choices, limit).indices;
    return { choices_RP, scores_RP: gatherColumns(scores_RE, choices_RP) };
  });
}

function gatesProgram(rule: GateRule, rows: number): Program {
  const { experts: E, topK: K, scoreFunc, scoreOrder, routeNorm, routeScale, auxGroups: G } = rule;
  const R = dynamic('tokens', rows);
  const specs = {
    logits_RE: f32([R, E]),
    taken_RK: i32([R, K]),
    live_R1: f32([R, 1]),
    load_GE: f32([G, E]),
    z_weight_1: f32([1]),
  };
  const isSoftmax = scoreOrder === 'topk_softmax';
  return trace('gates', specs, (w) => {
    const operands = {
      logits: w.logits_RE,
      taken: w.taken_RK,
      live: w.live_R1,
      load: w.load_GE,
      zWeight: w.z_weight_1,
    };
    const reads = isSoftmax ? 'logits' : 'scores';
    const { picked, balance, z } = routerScores(operands, { score: scoreFunc, reads, run: rows / G });
    const gates = routerGates(picked, w.taken_RK, { isSoftmax, isNormalised: routeNorm, scale: routeScale });
    return { gates_RK: gates, aux_1: sumOfRows(balance), z_1: sumOfRows(z) };
  });
}

/** [1, 1], so that its gradient needs no other shape. */
const sumOfRows = (x_R1: Value): Value => reduceSum(x_R1, [0], true);
