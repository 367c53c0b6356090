/**
 * The router of one mixture and one stage rank scores tokens, decides where they go, sends the rows of all experts of a
 * group in one envelope, and combines what comes back. It is a message-driven state machine with one context a
 * microbatch; it goes on when every group has answered, and combines in top-k order, so arrival order cannot matter.
 */
import type { Device, Tensor } from '../../kernels/device.ts';
import { balancesSteps } from '../../models/config.ts';
import type { Mixture } from '../../models/model.ts';
import type { Actor, ActorScope, ArgsOf, Context } from '../../runtime/index.ts';
import { eventLogAddress, groupAddress, routerAddress, stageAddress } from '../placement/addresses.ts';
import { weightBindings } from '../stage/bindings.ts';
import { eventLogProtocol } from '../protocol/event_log.ts';
import { expertGroupProtocol } from '../protocol/expert.ts';
import { emptyReport, type PassReport, type RoutingReport } from '../protocol/report.ts';
import { routerProtocol } from '../protocol/router.ts';
import type { Rows } from '../protocol/rows.ts';
import { stageProtocol } from '../protocol/stage.ts';
import { emptyVote, type Vote } from '../protocol/parameters.ts';
import { Shareholder } from '../parameters/shareholder.ts';
import type { Shareholding } from '../parameters/shareholding.ts';
import type { RouterContext, RouterPrograms } from './router_context.ts';
import { GlobalLoad } from './global_load.ts';
import { chanceOf } from './second_choices.ts';
import { RoutedMicrobatches, type Routed } from './routed.ts';
import { RouterGates } from './router_gates.ts';
import { RoutingReports } from './routing_reports.ts';
import { admit, type AdmissionRule } from './admission.ts';
import type { ChoiceLog } from './choice_log.ts';
import type { Grant } from './credits.ts';
import { RowExchange } from './row_exchange.ts';
import type { RowsPort } from '../stage/rows_port.ts';

type Messages = typeof routerProtocol;

export interface RouterParts {
  readonly device: Device;
  readonly port: RowsPort;
  readonly mixture: Mixture;
  readonly place: RouterPlace;
  readonly programs: RouterPrograms;
  readonly log: ChoiceLog;
  /** One for each microbatch that may be under way at once. */
  readonly contexts: readonly RouterContext[];
  readonly seed: number;
  /** How choices are admitted. */
  readonly admission: (isTraining: boolean) => AdmissionRule;
  /** What it may have under way with each group. */
  readonly grant: Grant;
  /** Rows that memory for the rows of one group has, see `row_buffers.ts`. */
  readonly room: number;
}

export interface RouterPlace {
  readonly pipelineRank: number;
  readonly dataRank: number;
  readonly dataRanks: number;
  /** Microbatches of a step on this rank. */
  readonly microbatches: number;
  readonly groups: number;
  readonly globalMicrobatches: number;
}

export class Router extends Shareholder implements Actor<Messages> {
  private readonly parts: RouterParts;
  private readonly scope: ActorScope;
  private readonly gates: RouterGates;
  private readonly rows: RowExchange;
  /** Null where each microbatch is balanced by itself. */
  private readonly stepLoad: GlobalLoad | null;
  private readonly routed: RoutedMicrobatches;
  private readonly reports: RoutingReports;
  private closed = 0;

  constructor(parts: RouterParts, share: Shareholding, scope: ActorScope) {
    super(share);
    const { mixture, place, port, room, grant } = parts;
    this.parts = parts;
    this.scope = scope;
    this.routed = new RoutedMicrobatches(parts.contexts, scope.address);
    this.gates = new RouterGates(parts);
    this.reports = new RoutingReports(mixture, parts.log);
    const groups = Array.from({ length: place.groups }, (_, group) => groupAddress(mixture.name, group));
    const now = (): number => scope.clock.now();
    this.stepLoad = balancesSteps(mixture.moe) ? new GlobalLoad(mixture.moe, place) : null;
    this.rows = new RowExchange({ port, experts: mixture.experts, groups, room, grant, now });
  }

  async route({ rows, live_R: mask, ...unit }: ArgsOf<Messages, 'route'>): Promise<void> {
    const { device, port, programs, admission, mixture, seed } = this.parts;
    const context = this.routed.take();
    // What an earlier microbatch gave the stage, if that has not looked at it yet.
    await port.recall(context.combine.moe_RD, context.sum.sum_RD);
    const tokens = rows.shape[0];
    const live_R = mask === undefined ? null : Uint8Array.from(mask.data);
    port.scatter(rows, [{ tensor: context.score.h_RD, rows: tokens }]);
    const choices = await this.gates.choose(unit, context, { tokens, live_R });
    const routing = admit(choices, admission(unit.kind === 'train'), chanceOf(unit, mixture, seed));
    const slots = routing.order_S.length;
    device.write(context.dispatch.order_S, routing.order_S);
    await programs.dispatch.forward.run(context.dispatch, { tokens, slots });
    const owing = await this.rows.send(unit, 'forward', routing, context.dispatch.rows_SD, (group, message) =>
      this.group(group).tell.dispatch(message),
    );
    this.routed.add({ unit, tokens, slots, context, routing, owing });
    // While the rows are away.
    const figures = await this.gates.gate(context, choices, routing);
    this.reports.add(unit, choices, routing, figures);
    const own = unit.kind === 'train' ? this.stepLoad?.add(unit.step, choices, tokens) : null;
    if (own) for (const router of this.ranks()) router.tell.load({ step: unit.step, ...own, counts: [...own.counts] });
  }

  /** What the routers of the mixture have chosen in a step: gradients may have waited for the last of them. */
  async load({ step, ...load }: ArgsOf<Messages, 'load'>, ctx: Context): Promise<void> {
    this.stepLoad?.hear(step, ctx.sender, load);
    for (const routed of this.routed.beforeGates()) {
      await this.gateBack(routed);
      if (routed.areGatesBack && routed.owing.size === 0) await this.goBack(routed);
    }
  }

  async outputs({ group, rows, ...unit }: ArgsOf<Messages, 'outputs'>): Promise<void> {
    const routed = this.routed.owed(unit, group);
    const { routing, context, tokens, slots } = routed;
    const { combine } = context;
    await this.rows.receive(unit, 'forward', routing, { group, rows, target_SD: combine.outputs_SD });
    if (routed.owing.size > 0) return;
    const { programs, mixture } = this.parts;
    await programs.combine.forward.run(combine, { tokens, slots });
    if (unit.kind !== 'train') this.routed.end(routed);
    this.stage().tell.stream({ ...unit, name: mixture.hand.takes, rows: await this.toStage(combine.moe_RD, tokens) });
  }

  async combineGradient({ rows, lossScale = 1, ...unit }: ArgsOf<Messages, 'combineGradient'>): Promise<void> {
    const routed = this.routed.find(unit);
    const { tokens, slots, routing, context } = routed;
    const { port, programs } = this.parts;
    port.scatter(rows, [{ tensor: context.combine.d_moe_RD, rows: tokens }]);
    await programs.combine.backward.run(context.combine, { tokens, slots });
    const { d_outputs_SD } = context.combine;
    routed.owing = await this.rows.send(unit, 'backward', routing, d_outputs_SD, (group, message) =>
      this.group(group).tell.outputsGradient(message),
    );
    routed.lossScale = lossScale;
    // While the gradients are away.
    await this.gateBack(routed);
  }

  async rowsGradient({ group, rows, ...unit }: ArgsOf<Messages, 'rowsGradient'>): Promise<void> {
    const routed = this.routed.owed(unit, group);
    const { context, routing } = routed;
    await this.rows.receive(unit, 'backward', routing, { group, rows, target_SD: context.dispatch.d_rows_SD });
    if (routed.owing.size === 0 && routed.areGatesBack) await this.goBack(routed);
  }

  /** Takes the gradient of a microbatch back through the gates; not yet where the load of its step is to come. */
  private async gateBack(routed: Routed): Promise<void> {
    const { unit, context, routing, tokens, lossScale } = routed;
    if (this.stepLoad !== null) {
      const load = this.stepLoad.of(unit.step);
      if (load === null) return;
      this.reports.balance(unit, await this.gates.balance(context, load, tokens));
    }
    const leaf = weightBindings(this.parts.mixture.router, this.share.leaves.open(unit.microbatch).views, 'd_');
    await this.gates.backward(context, leaf, { routing, tokens, lossScale: lossScale ?? 1 });
    routed.areGatesBack = true;
  }

  /** All gradients of a microbatch are here: it leaves the router. */
  private async goBack(routed: Routed): Promise<void> {
    const { unit, context, tokens, slots } = routed;
    const { programs, mixture } = this.parts;
    await programs.dispatch.backward.run(context.dispatch, { tokens, slots });
    await programs.sum.run(context.sum, { tokens });
    this.routed.end(routed);
    this.stage().tell.streamGradient({
      ...unit,
      name: mixture.hand.gives,
      rows: await this.toStage(context.sum.sum_RD, tokens),
    });
    await this.share.leaves.close(unit.microbatch);
    this.closed++;
    if (this.isComplete) await this.share.conclude();
  }

  progress(): { isDone: boolean; hasGradient: boolean } {
    return { isDone: this.isComplete, hasGradient: true };
  }

  report(): Omit<Vote, 'squares'> {
    const { mixture } = this.parts;
    this.closed = 0;
    this.stepLoad?.forget();
    return { ...emptyVote, routing: this.takeReports(), creditWaitMs: this.rows.takeWaits(mixture.name) };
  }

  finish(): PassReport {
    return { ...emptyReport, routing: this.takeReports() };
  }

  forget(): void {
    this.rows.abandon();
    this.parts.port.abandon(this.scope.address);
    this.routed.clear();
    this.reports.clear();
    this.stepLoad?.forget();
    this.closed = 0;
  }

  override restore(args: ArgsOf<Messages, 'restore'>): void {
    super.restore(args);
    this.parts.log.rewind(args.dataStep);
  }

  stopped(): void {
    this.parts.log.close();
  }

  /** All microbatches of this rank have gone forth and back. */
  private get isComplete(): boolean {
    return this.closed === this.parts.place.microbatches;
  }

  private takeReports(): RoutingReport[] {
    if (this.rows.outstanding > 0) {
      throw new Error(`${this.scope.address}: ${this.rows.outstanding} dispatches have not come back`);
    }
    const { reports, unwritten } = this.reports.take();
    if (unwritten !== null) this.scope.ref(eventLogProtocol, eventLogAddress).tell.unrecorded({ what: unwritten });
    return reports;
  }

  /** The routers of the mixture, itself among them. */
  private ranks() {
    const { mixture, place } = this.parts;
    const addresses = Array.from({ length: place.dataRanks }, (_, rank) => routerAddress(mixture.name, rank));
    return addresses.map((address) => this.scope.ref(routerProtocol, address));
  }

  private stage() {
    return this.scope.ref(stageProtocol, stageAddress(this.parts.place.pipelineRank, this.parts.place.dataRank));
  }

  private group(group: number) {
    return this.scope.ref(expertGroupProtocol, groupAddress(this.parts.mixture.name, group));
  }

  private toStage(tensor: Tensor, rows: number): Promise<Rows> {
    return this.parts.port.lend({ tensor, rows }, this.stage().address);
  }
}
