/**
 * The router of one mixture layer and one stage rank: it scores tokens, decides where they go, sends the rows of all
 * experts of a group in one envelope, and combines what comes back. A message-driven state machine with one context a
 * microbatch; it goes on when every group has answered, and combines in top-k order, so arrival order cannot matter.
 */
import type { Device, Tensor } from '../../kernels/device.ts';
import type { Mixture } from '../../models/model.ts';
import type { Actor, ActorScope, ArgsOf } from '../../runtime/index.ts';
import { groupAddress, stageAddress } from '../placement/addresses.ts';
import { weightBindings } from '../stage/bindings.ts';
import { expertGroupProtocol } from '../protocol/expert.ts';
import { keyOf, type Unit } from '../protocol/pass.ts';
import { emptyReport, type PassReport, type RoutingReport } from '../protocol/report.ts';
import { routerProtocol } from '../protocol/router.ts';
import type { Rows } from '../protocol/rows.ts';
import { stageProtocol } from '../protocol/stage.ts';
import { emptyVote, type Vote } from '../protocol/parameters.ts';
import { Shareholder } from '../parameters/shareholder.ts';
import type { Shareholding } from '../parameters/shareholding.ts';
import type { RouterContext, RouterPrograms } from './router_context.ts';
import { RouterScores, type Scores } from './router_scores.ts';
import { liveRows, route, type Routing } from './routing.ts';
import { RowExchange } from './row_exchange.ts';
import type { RowsPort } from '../stage/rows_port.ts';

type Messages = typeof routerProtocol;

export interface RouterParts {
  readonly device: Device;
  readonly port: RowsPort;
  readonly mixture: Mixture;
  readonly place: RouterPlace;
  readonly programs: RouterPrograms;
  /** One for each microbatch that may be under way at once. */
  readonly contexts: readonly RouterContext[];
  readonly seed: number;
  /** Slots of one expert for a microbatch of so many tokens. */
  readonly capacity: (tokens: number, isTraining: boolean) => number;
  /** Most slots of one expert that any pass grants. */
  readonly grant: number;
  /** Rows that memory for the rows of one group has, see `row_buffers.ts`. */
  readonly room: number;
}

export interface RouterPlace {
  readonly pipelineRank: number;
  readonly dataRank: number;
  /** Microbatches of a step on this rank. */
  readonly microbatches: number;
  readonly groups: number;
  readonly globalMicrobatches: number;
}

/** A microbatch between `route` and its last message. */
interface Routed {
  readonly unit: Unit;
  readonly tokens: number;
  readonly live_R: Uint8Array | null;
  readonly slots: number;
  readonly context: RouterContext;
  readonly routing: Routing;
  /** Groups whose rows have not come back. */
  owing: Set<number>;
  /** What the gradients on the way back are multiplied by. */
  lossScale: number;
}

export class Router extends Shareholder implements Actor<Messages> {
  private readonly parts: RouterParts;
  private readonly scope: ActorScope;
  private readonly scores: RouterScores;
  private readonly rows: RowExchange;
  private idle: RouterContext[];
  private readonly routed = new Map<string, Routed>();
  private routingReports: RoutingReport[] = [];
  private closed = 0;

  constructor(parts: RouterParts, share: Shareholding, scope: ActorScope) {
    super(share);
    const { mixture, place } = parts;
    this.parts = parts;
    this.scope = scope;
    this.idle = [...parts.contexts];
    this.scores = new RouterScores(parts);
    const groups = Array.from({ length: place.groups }, (_, group) => groupAddress(mixture.name, group));
    this.rows = new RowExchange(parts.port, mixture.experts, groups, parts);
  }

  async route({ rows, live_R: mask, ...unit }: ArgsOf<Messages, 'route'>): Promise<void> {
    const { device, port, programs, mixture, capacity } = this.parts;
    const context = this.idle.pop();
    if (context === undefined) throw new Error(`${this.scope.address}: more microbatches under way than contexts`);
    const tokens = rows.shape[0];
    const isTraining = unit.kind === 'train';
    // The message's tensors end with this handler.
    const live_R = mask === undefined ? null : Uint8Array.from(mask.data);
    port.scatter(rows, [{ tensor: context.score.h_RD, rows: tokens }]);
    const scores = await this.scores.score(unit, context, tokens);
    const rule = { experts: mixture.experts, topK: mixture.moe.top_k, capacity: capacity(tokens, isTraining) };
    const routing = route(scores.probs_RE, rule, live_R);
    const slots = routing.order_S.length;
    device.write(context.dispatch.order_S, routing.order_S);
    await programs.dispatch.forward.run(context.dispatch, { tokens, slots });

    const owing = await this.rows.send(unit, 'forward', routing.kept_E, context.dispatch.rows_SD, (group, message) =>
      this.group(group).tell.dispatch(message),
    );
    const routed = { unit, tokens, live_R, slots, context, routing, owing, lossScale: 1 };
    this.routed.set(keyOf(unit), routed);
    if (unit.kind !== 'decode') this.routingReports.push(this.reportOf(routed, scores));
  }

  async outputs({ group, rows, ...unit }: ArgsOf<Messages, 'outputs'>): Promise<void> {
    const routed = this.owed(unit, group);
    const { routing, context, tokens, slots } = routed;
    const { combine } = context;
    this.rows.receive(unit, 'forward', routing.kept_E, group, rows, combine.outputs_SD);
    if (routed.owing.size > 0) return;
    const { device, programs, mixture } = this.parts;
    device.write(combine.gates_RK, routing.gates_RK);
    device.write(combine.slots_RK, routing.slots_RK);
    await programs.combine.forward.run(combine, { tokens, slots });
    if (unit.kind !== 'train') this.end(routed);
    this.stage().tell.stream({ ...unit, name: mixture.hand.takes, rows: await this.toStage(combine.moe_RD, tokens) });
  }

  async combineGradient({ rows, lossScale = 1, ...unit }: ArgsOf<Messages, 'combineGradient'>): Promise<void> {
    const routed = this.find(unit);
    routed.lossScale = lossScale;
    const { tokens, slots, routing, context } = routed;
    this.parts.port.scatter(rows, [{ tensor: context.combine.d_moe_RD, rows: tokens }]);
    await this.parts.programs.combine.backward.run(context.combine, { tokens, slots });
    const { d_outputs_SD } = context.combine;
    routed.owing = await this.rows.send(unit, 'backward', routing.kept_E, d_outputs_SD, (group, message) =>
      this.group(group).tell.outputsGradient(message),
    );
  }

  async rowsGradient({ group, rows, ...unit }: ArgsOf<Messages, 'rowsGradient'>): Promise<void> {
    const routed = this.owed(unit, group);
    const { context, tokens, live_R, lossScale, slots, routing } = routed;
    this.rows.receive(unit, 'backward', routing.kept_E, group, rows, context.dispatch.d_rows_SD);
    if (routed.owing.size > 0) return;
    const { programs, mixture } = this.parts;
    await this.scores.writeGradient(context, routing, { tokens, live_R, lossScale });
    const leaf = weightBindings(mixture.router, this.share.leaves.open(unit.microbatch).views, 'd_');
    await programs.score.backward.run({ ...context.score, ...leaf }, { tokens });
    await programs.dispatch.backward.run(context.dispatch, { tokens, slots });
    await programs.sum.run(context.sum, { tokens });
    this.end(routed);
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
    this.closed = 0;
    return { ...emptyVote, routing: this.takeReports() };
  }

  /** Asked when its stage is done with the pass. */
  finish(): PassReport {
    return { ...emptyReport, routing: this.takeReports() };
  }

  forget(): void {
    this.rows.abandon();
    this.parts.port.abandon(this.scope.address);
    this.routed.clear();
    this.routingReports = [];
    this.closed = 0;
    this.idle = [...this.parts.contexts];
  }

  /** All microbatches of this rank have gone forth and back. */
  private get isComplete(): boolean {
    return this.closed === this.parts.place.microbatches;
  }

  private takeReports(): RoutingReport[] {
    if (this.rows.outstanding > 0) {
      throw new Error(`${this.scope.address}: ${this.rows.outstanding} dispatches have not come back`);
    }
    const { routingReports } = this;
    this.routingReports = [];
    return routingReports;
  }

  private reportOf({ unit, tokens, live_R, slots, routing }: Routed, scores: Scores): RoutingReport {
    const { mixture } = this.parts;
    const routed = liveRows(live_R, tokens) * mixture.moe.top_k;
    return {
      mixture: mixture.name,
      order: mixture.number,
      microbatch: unit.microbatch,
      routed,
      sent: slots,
      spilled: 0,
      dropped: routed - slots,
      load: Array.from(routing.routed_E),
      ...this.scores.losses(scores, routing, live_R),
    };
  }

  private find(unit: Unit): Routed {
    const routed = this.routed.get(keyOf(unit));
    if (routed === undefined) throw new Error(`${this.scope.address}: ${keyOf(unit)} was not routed here`);
    return routed;
  }

  /** The microbatch that a group answers for; the group owes no more. */
  private owed(unit: Unit, group: number): Routed {
    const routed = this.find(unit);
    if (!routed.owing.delete(group)) {
      throw new Error(`${this.scope.address}: rows of ${keyOf(unit)} from group ${group}, which owes none`);
    }
    return routed;
  }

  private end({ unit, context }: Routed): void {
    this.routed.delete(keyOf(unit));
    this.idle.push(context);
  }

  private stage() {
    return this.scope.ref(stageProtocol, stageAddress(this.parts.place.pipelineRank, this.parts.place.dataRank));
  }

  private group(group: number) {
    return this.scope.ref(expertGroupProtocol, groupAddress(this.parts.mixture.name, group));
  }

  private toStage(tensor: Tensor, rows: number): Promise<Rows> {
    return this.parts.port.gather([{ tensor, rows }], this.stage().address);
  }
}
