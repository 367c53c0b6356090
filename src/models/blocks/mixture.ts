/**
 * The mixture-of-experts layer as programs: score, dispatch, expert, combine. Which token goes where is decided between
 * them, on the host, from the scores. Every crossing of the dispatch, forward and backward, is rounded to the dispatch's
 * precision by the program of whoever sends, so that the numbers do not depend on what crosses a thread or a node.
 * Shape suffixes: see `model.ts`.
 */
import type { Value } from '../../kernels/graph.ts';
import * as ops from '../../kernels/ops/index.ts';
import { combine } from '../../kernels/ops/combine.ts';
import { fromBf16, toBf16 } from '../../kernels/ops/bf16_cast.ts';
import { gatherRows } from '../../kernels/ops/gather_rows.ts';
import { jitter } from '../../kernels/ops/jitter.ts';
import { dynamic } from '../../kernels/shape.ts';
import { typeOf } from '../../kernels/program.ts';
import { bf16, f32, i32, trace, weight } from '../../kernels/trace.ts';
import { choicesOf, mostRowsOf } from '../../topology/index.ts';
import type { LayerShape, MixtureConfig } from '../config.ts';
import type { TraceSettings } from '../trace_settings.ts';
import type { MixturePlace } from '../layer_builder.ts';
import type { Mixture, MixturePrograms, Weights } from '../model.ts';
import { balanceBias, usualMakers, type ParameterMakers } from '../parameter.ts';
import type { FeedForward } from '../sublayer.ts';
import { tracedBlock } from '../traced_block.ts';
import { weightsOf, weightsUnder } from '../weights_of.ts';
import { gatePrograms, type GateRule } from './gate_programs.ts';
import { linear } from './linear.ts';

export interface MixtureParts {
  readonly shape: LayerShape;
  readonly moe: MixtureConfig;
  readonly settings: TraceSettings;
  /** What each expert is made of; its rows are as wide as `shape.hidden`, and what it makes of them as wide as it likes. */
  readonly feedForward: FeedForward;
  /** Of the parameters; default: the usual. */
  readonly make?: ParameterMakers;
  /** What its router is called; default `router`. */
  readonly router?: string;
}

/** A mixture of one shape, which stands at many places of a model. */
export interface MixtureBlock {
  at(place: MixturePlace, layer: number): Mixture;
}

/** The router's matrix, and where experts are balanced by it a bias for each. */
function routerWeights({ moe, shape, make = usualMakers, router = 'router' }: MixtureParts, place: string): Weights {
  const { num_experts: E, load_balance_coeff: rate } = moe;
  const router_ED = make.matrix(`${place}.${router}.weight`, E, shape.hidden, { isHidden: false });
  return rate === 0 ? { router_ED } : { router_ED, bias_E: balanceBias(`${place}.${router}.expert_bias`, E, rate) };
}

/** What layers call the mixture that stands in the place of their feed-forward network. */
const mainParts = new Set(['mlp', 'block_sparse_moe', 'moe']);

/** More than any model has, so that the numbers of mixtures differ. */
const LAYERS = 2 ** 16;

export function mixtureBlock(parts: MixtureParts): MixtureBlock {
  const { moe } = parts;
  const programs = tracePrograms(parts);
  return {
    at: ({ hand, part, before }, layer) => ({
      id: hand.to,
      name: mainParts.has(part) ? `${layer}` : `${layer}.${part}`,
      number: layer + before * LAYERS,
      layer,
      experts: moe.num_experts,
      moe,
      hand,
      programs,
      router: routerWeights(parts, hand.to),
      expert: (index) => expertWeights(parts, `${hand.to}.experts.${index}`),
    }),
  };
}

const expertWeights = ({ feedForward, shape, make }: MixtureParts, place: string): Weights =>
  weightsOf(feedForward, shape, 'ffn', place, make);

function tracePrograms(parts: MixtureParts): MixturePrograms {
  const { shape, moe, settings, feedForward } = parts;
  const { hidden: D } = shape;
  const { num_experts: E, top_k: K, jitter_eps: jitterEps } = moe;
  const rows = settings.batch * settings.sequence;
  const R = dynamic('tokens', rows);
  const S = dynamic('slots', rows * K);
  const C = dynamic('rows', Math.max(mostRowsOf(moe, rows), 2));
  const { send, receive, spec } = crossing(moe.dispatch_dtype);
  const score = trace('score', { h_RD: f32([R, D]), router_ED: weight([E, D]) }, (w) => ({
    logits_RE: linear(w.h_RD, w.router_ED),
  }));
  const jittered = trace('score_jittered', { h_RD: f32([R, D]), key: i32([5]), router_ED: weight([E, D]) }, (w) => ({
    logits_RE: linear(jitter(w.h_RD, w.key, jitterEps), w.router_ED),
  }));
  const { program: expert } = tracedBlock({
    name: 'expert',
    reads: { rows_SD: spec([C, D]) },
    weightsAt: (place) => expertWeights(parts, place),
    apply: (w) => ({ outputs_SD: send(feedForward.apply(receive(w.rows_SD), weightsUnder('ffn', w), shape, ops)) }),
    precision: settings.precision,
  });
  const [, width] = typeOf(expert, 'outputs_SD').shape;
  return {
    score: jitterEps > 0 ? jittered : score,
    scoreEvaluation: score,
    ...gatePrograms(gateRuleOf(moe, settings), rows),
    dispatch: trace('dispatch', { h_RD: f32([R, D]), order_S: i32([S]) }, (w) => ({
      rows_SD: send(gatherRows(w.h_RD, w.order_S)),
    })),
    combine: trace('combine', { outputs_SD: spec([S, width]), gates_RK: f32([R, K]), slots_RK: i32([R, K]) }, (w) => ({
      moe_RD: combine(receive(w.outputs_SD), w.gates_RK, w.slots_RK),
    })),
    expert,
  };
}

function gateRuleOf(moe: MixtureConfig, { batch }: TraceSettings): GateRule {
  return {
    experts: moe.num_experts,
    topK: moe.top_k,
    choices: choicesOf(moe),
    scoreFunc: moe.score_func,
    scoreOrder: moe.score_order,
    routeNorm: moe.route_norm,
    routeScale: moe.route_scale,
    isBiased: moe.load_balance_coeff > 0,
    groups: moe.num_expert_groups,
    limitedGroups: moe.num_limited_groups,
    auxGroups: moe.aux_loss === 'sequence' ? batch : 1,
  };
}

/** How rows cross: packed in bf16 by the sender, or as they are. The gradient of each side is the other side. */
function crossing(dtype: 'bf16' | 'fp32') {
  if (dtype === 'fp32') return { send: (x: Value): Value => x, receive: (x: Value): Value => x, spec: f32 };
  return { send: toBf16, receive: fromBf16, spec: bf16 };
}
