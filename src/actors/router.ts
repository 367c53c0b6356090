/**
 * The router of one mixture layer and one stage rank: it scores tokens, decides where they go, sends the rows of all
 * experts of a group in one envelope, and combines what comes back. A message-driven state machine with one context a
 * microbatch; it goes on when every group has answered, and combines in top-k order, so arrival order cannot matter.
 */
import { floats, type Data } from '../kernels/dtype.ts';
import type { Device, Tensor } from '../kernels/device.ts';
import type { Weights } from '../models/model.ts';
import type { Actor, ActorScope, ArgsOf, Context, Reply, TensorPayload } from '../runtime/index.ts';
import type { MoeSection, OptimizerSection } from '../topology/index.ts';
import { groupAddress, routerAddress, stageAddress } from './addresses.ts';
import { AllReduce } from './all_reduce.ts';
import { addBalanceGradient, balance, type BalanceRule } from './balance.ts';
import { weightBindings } from './bindings.ts';
import { CreditLedger, type Phase } from './credits.ts';
import { LeafGradients } from './leaf_gradients.ts';
import { ParameterRole } from './parameter_role.ts';
import type { ParameterSet } from './parameter_set.ts';
import { expertGroupProtocol } from './protocol/expert.ts';
import { dataOf, keyOf, payload, type Unit } from './protocol/pass.ts';
import { routerProtocol } from './protocol/router.ts';
import { stageProtocol } from './protocol/stage.ts';
import { emptyVote, type Decision, type RoutingReport, type Vote } from './protocol/stateful.ts';
import type { RouterContext, RouterPrograms } from './router_context.ts';
import { route, startsOf, type Routing } from './routing.ts';

type Messages = typeof routerProtocol;

export interface RouterParts {
  readonly device: Device;
  readonly parameters: ParameterSet;
  readonly weights: Weights;
  readonly optimizer: OptimizerSection;
  readonly moe: MoeSection;
  readonly place: RouterPlace;
  readonly programs: RouterPrograms;
  /** One for each microbatch that may be under way at once. */
  readonly contexts: readonly RouterContext[];
  readonly seed: number;
  /** Slots of one expert for a microbatch of so many tokens. */
  readonly capacity: (tokens: number, isTraining: boolean) => number;
}

export interface RouterPlace {
  readonly layer: number;
  readonly pipelineRank: number;
  readonly dataRank: number;
  readonly dataRanks: number;
  readonly groups: number;
  readonly globalMicrobatches: number;
}

/** A microbatch between `route` and its last message. */
interface Routed {
  readonly unit: Unit;
  readonly tokens: number;
  readonly context: RouterContext;
  routing: Routing;
  /** Groups whose rows have not come back. */
  readonly missing: Set<number>;
}

/** Distinguishes the router's noise from other uses of the seed. */
const jitterPurpose = 1;

export class Router extends ParameterRole implements Actor<Messages> {
  private readonly parts: RouterParts;
  private readonly scope: ActorScope;
  private readonly leaves: LeafGradients;
  private readonly reduce: AllReduce;
  private readonly rule: BalanceRule;
  private readonly credits: CreditLedger;
  private readonly idle: RouterContext[];
  private readonly routed = new Map<string, Routed>();
  private routingReports: RoutingReport[] = [];
  private waiting: Reply<Vote> | null = null;
  private closed = 0;

  constructor(parts: RouterParts, scope: ActorScope) {
    super(parts.parameters, parts.optimizer, scope, parts.place.dataRank === 0);
    const { moe, place, parameters, device } = parts;
    this.parts = parts;
    this.scope = scope;
    this.idle = [...parts.contexts];
    this.leaves = new LeafGradients(parameters);
    this.rule = { experts: moe.num_experts, auxCoef: moe.aux_loss_coef, zCoef: moe.z_loss_coef };
    const maxTokens = parts.contexts[0]!.score.h_RD!.shape[0]!;
    this.credits = new CreditLedger(Math.max(parts.capacity(maxTokens, true), parts.capacity(maxTokens, false)));
    const replica = (rank: number) => scope.ref(routerProtocol, routerAddress(place.layer, rank));
    this.reduce = new AllReduce(
      device,
      { rank: place.dataRank, ranks: place.dataRanks, leaves: place.globalMicrobatches },
      parameters.lengths,
      { block: (rank, message) => replica(rank).tell.block(message), sum: (rank, message) => replica(rank).tell.sum(message) },
    );
  }

  async route({ rows, ...unit }: ArgsOf<Messages, 'route'>): Promise<void> {
    const { device, programs, moe, capacity } = this.parts;
    const tokens = rows.shape[0]!;
    const context = this.idle.pop();
    if (context === undefined) throw new Error(`${this.scope.address}: more microbatches under way than contexts`);
    const { score, dispatch } = context;
    device.write(score.h_RD!, dataOf(rows));
    if (unit.mode === 'train') {
      const { layer } = this.parts.place;
      if (score.key !== undefined) {
        device.write(score.key, Int32Array.of(this.parts.seed, jitterPurpose, layer, unit.step, unit.microbatch * tokens));
      }
      await programs.score.forward.run(score, { tokens });
    } else await programs.scoreEvaluation.run(score, { tokens });

    const experts = moe.num_experts;
    const probs_RE = this.floatsOf(score.probs_RE!, tokens * experts);
    const limit = capacity(tokens, unit.mode === 'train');
    const routing = route(probs_RE, { experts, topK: moe.top_k, capacity: limit });
    const routed: Routed = { unit, tokens, context, routing, missing: new Set() };
    this.routed.set(keyOf(unit), routed);
    if (unit.mode === 'train') this.report(routed, probs_RE);

    const slots = routing.order_S.length;
    device.write(dispatch.order_S!, routing.order_S);
    await programs.dispatch.forward.run(dispatch, { tokens, slots });
    this.send(routed, 'forward', dispatch.rows_SD!);
  }

  async outputs({ group, rows, ...unit }: ArgsOf<Messages, 'outputs'>): Promise<void> {
    const routed = this.receive(unit, 'forward', group, rows, (context) => context.combine.outputs_SD!);
    if (routed.missing.size > 0) return;
    const { device, programs } = this.parts;
    const { routing, context, tokens } = routed;
    device.write(context.combine.gates_RK!, routing.gates_RK);
    device.write(context.combine.slots_RK!, routing.slots_RK);
    await programs.combine.forward.run(context.combine, { tokens, slots: routing.order_S.length });
    if (unit.mode !== 'train') this.end(routed);
    const answer = { ...unit, layer: this.parts.place.layer, rows: this.rowsOf(context.combine.moe_RD!, tokens) };
    this.stage().tell.combined(answer);
  }

  async combineGradient({ rows, ...unit }: ArgsOf<Messages, 'combineGradient'>): Promise<void> {
    const routed = this.routed.get(keyOf(unit));
    if (routed === undefined) throw new Error(`${this.scope.address}: a gradient of ${keyOf(unit)}, which was not routed`);
    const { device, programs } = this.parts;
    const { combine } = routed.context;
    device.write(combine.d_moe_RD!, dataOf(rows));
    await programs.combine.backward.run(combine, { tokens: routed.tokens, slots: routed.routing.order_S.length });
    this.send(routed, 'backward', combine.d_outputs_SD!);
  }

  async rowsGradient({ group, rows, ...unit }: ArgsOf<Messages, 'rowsGradient'>): Promise<void> {
    const routed = this.receive(unit, 'backward', group, rows, (context) => context.dispatch.d_rows_SD!);
    if (routed.missing.size > 0) return;
    const { programs, weights } = this.parts;
    const { context, tokens, routing } = routed;
    this.writeScoreGradient(routed);
    const leaf = this.leaves.open(unit.microbatch);
    await programs.score.backward.run({ ...context.score, ...weightBindings(weights, leaf.views, 'd_') }, { tokens });
    await programs.dispatch.backward.run(context.dispatch, { tokens, slots: routing.order_S.length });
    await programs.sum.run(context.sum, { tokens });
    this.end(routed);
    this.stage().tell.routed({ ...unit, layer: this.parts.place.layer, rows: this.rowsOf(context.sum.sum_RD!, tokens) });
    await this.leaves.close(unit.microbatch);
    this.closed++;
    if (this.closed * this.parts.place.dataRanks === this.parts.place.globalMicrobatches) {
      await this.leaves.reduce(unit.step, this.reduce);
      this.conclude();
    }
  }

  async block(message: ArgsOf<Messages, 'block'>): Promise<void> {
    await this.reduce.onBlock(message);
    this.conclude();
  }

  sum(message: ArgsOf<Messages, 'sum'>): void {
    this.reduce.onSum(message);
    this.conclude();
  }

  prepare(_args: ArgsOf<Messages, 'prepare'>, ctx: Context): Reply<Vote> {
    this.waiting = ctx.defer<Vote>();
    const reply = this.waiting;
    this.conclude();
    return reply;
  }

  async apply(decision: Decision): Promise<void> {
    await this.applyDecision(decision);
  }

  private conclude(): void {
    if (this.waiting === null) return;
    const gradient = this.reduce.take();
    if (gradient === null) return;
    if (this.credits.size > 0) throw new Error(`${this.scope.address}: ${this.credits.size} dispatches not returned`);
    this.holdGradient(gradient);
    const { routingReports: routing, waiting } = this;
    this.routingReports = [];
    this.closed = 0;
    this.waiting = null;
    waiting.resolve({ ...emptyVote, squares: this.squares(), routing });
  }

  /** One envelope a group, with the rows of all its experts; a group without rows hears so too. */
  private send(routed: Routed, phase: Phase, rows_SD: Tensor): void {
    const { device, place, moe } = this.parts;
    const { unit, routing } = routed;
    const width = rows_SD.shape[1]!;
    const each = moe.num_experts / place.groups;
    const starts = startsOf(routing.kept_E);
    for (let group = 0; group < place.groups; group++) {
      const counts = Array.from(routing.kept_E.subarray(group * each, (group + 1) * each));
      const total = counts.reduce((sum, count) => sum + count, 0);
      const start = starts[group * each]!;
      const data = device.read(rows_SD).subarray(start * width, (start + total) * width);
      this.credits.take(unit.microbatch, phase, group, counts);
      routed.missing.add(group);
      const to = this.scope.ref(expertGroupProtocol, groupAddress(place.layer, group));
      const message = { ...unit, counts, rows: payload(data, [total, width]) };
      if (phase === 'forward') to.tell.dispatch(message);
      else to.tell.outputsGradient(message);
    }
  }

  /** Lays a group's rows at their place among all rows. */
  private receive(
    unit: Unit,
    phase: Phase,
    group: number,
    rows: TensorPayload,
    target: (context: RouterContext) => Tensor,
  ): Routed {
    const routed = this.routed.get(keyOf(unit));
    if (!routed?.missing.delete(group)) {
      throw new Error(`${this.scope.address}: rows of ${keyOf(unit)} from group ${group}, which were not sent`);
    }
    this.credits.settle(unit.microbatch, phase, group, rows.shape[0]!);
    const { device, place, moe } = this.parts;
    const start = startsOf(routed.routing.kept_E)[(group * moe.num_experts) / place.groups]!;
    const tensor = target(routed.context);
    setRows(device.read(tensor), dataOf(rows), start * tensor.shape[1]!);
    return routed;
  }

  /** d(loss)/d(probabilities) and d(loss)/d(logits): through the gates, and of the auxiliary losses. */
  private writeScoreGradient({ context, routing, tokens }: Routed): void {
    const { moe, place } = this.parts;
    const E = moe.num_experts;
    const { score, combine } = context;
    const dProbs_RE = this.floatsOf(score.d_probs_RE!, tokens * E).fill(0);
    const dLogits_RE = this.floatsOf(score.d_logits_RE!, tokens * E).fill(0);
    const dGates_RK = this.floatsOf(combine.d_gates_RK!, tokens * moe.top_k);
    for (let i = 0; i < dGates_RK.length; i++) {
      const token = Math.floor(i / moe.top_k);
      dProbs_RE[token * E + routing.experts_RK[i]!] = dGates_RK[i]!;
    }
    const probs_RE = this.floatsOf(score.probs_RE!, tokens * E);
    const logits_RE = this.floatsOf(score.logits_RE!, tokens * E);
    const share = 1 / place.globalMicrobatches;
    addBalanceGradient(logits_RE, probs_RE, routing.first_E, this.rule, share, dProbs_RE, dLogits_RE);
  }

  private report({ unit, tokens, context, routing }: Routed, probs_RE: Float32Array): void {
    const routedCount = tokens * this.parts.moe.top_k;
    const logits_RE = this.floatsOf(context.score.logits_RE!, probs_RE.length);
    const sent = routing.order_S.length;
    this.routingReports.push({
      layer: this.parts.place.layer,
      microbatch: unit.microbatch,
      routed: routedCount,
      sent,
      spilled: 0,
      dropped: routedCount - sent,
      load: Array.from(routing.routed_E),
      ...balance(logits_RE, probs_RE, routing.first_E, this.rule),
    });
  }

  private end({ unit, context }: Routed): void {
    this.routed.delete(keyOf(unit));
    this.idle.push(context);
  }

  private stage() {
    return this.scope.ref(stageProtocol, stageAddress(this.parts.place.pipelineRank, this.parts.place.dataRank));
  }

  private floatsOf(tensor: Tensor, length: number): Float32Array {
    return floats('router', this.parts.device.read(tensor, length));
  }

  private rowsOf(tensor: Tensor, rows: number): TensorPayload {
    const width = tensor.shape[1]!;
    return payload(this.parts.device.read(tensor, rows * width), [rows, width]);
  }
}

function setRows(target: Data, rows: Data, at: number): void {
  if (target.constructor !== rows.constructor) throw new TypeError('rows came back in another precision than they were sent');
  target.set(rows, at);
}
