/**
 * The experts of one layer that live on one worker, as seen by the routers: one address for their rows. The group runs all
 * experts over the rows that came for each, where they lie one behind another, and answers with one envelope. It owns the memory
 * of the microbatches that are with it; parameters and gradients are the experts'.
 */
import type { Actor, ActorScope, ArgsOf, Context } from '../../runtime/index.ts';
import type { ExpertCore } from './expert_core.ts';
import type { ExpertPrograms } from './expert_programs.ts';
import type { GroupContext } from './group_context.ts';
import { expertGroupProtocol } from '../protocol/expert.ts';
import { keyOf, type Unit } from '../protocol/pass.ts';
import { routerProtocol } from '../protocol/router.ts';
import type { RowRange, RowsPort } from '../stage/rows_port.ts';

type Messages = typeof expertGroupProtocol;

/** A microbatch with the group. */
interface Held {
  readonly context: GroupContext;
  /** Rows of each expert. */
  readonly counts: readonly number[];
}

export class ExpertGroup implements Actor<Messages> {
  private readonly parts: ExpertGroupParts;
  private readonly scope: ActorScope;
  private idle: GroupContext[];
  private readonly held = new Map<string, Held>();
  /** By version above the group's: the experts that have said that they reached it. */
  private readonly reached = new Map<number, Set<string>>();
  /** The gradients of weights that are being made, beside the messages that come. */
  private weighing: Promise<void> = Promise.resolve();
  private failure: Error | null = null;

  constructor(parts: ExpertGroupParts, scope: ActorScope) {
    this.parts = parts;
    this.scope = scope;
    this.idle = [...parts.contexts];
    scope.setParamsVersion(0);
  }

  async dispatch({ counts, rows, ...unit }: ArgsOf<Messages, 'dispatch'>, ctx: Context): Promise<void> {
    const { programs, port, cores } = this.parts;
    if (this.held.has(keyOf(unit))) throw new Error(`${this.scope.address}: rows of ${keyOf(unit)} came twice`);
    // Memory that only gradients of weights keep is free once these are made.
    if (this.idle.length === 0) await this.weighing;
    const context = this.idle.pop();
    if (context === undefined) throw new Error(`${this.scope.address}: more microbatches under way than contexts`);
    const held = { context, counts };
    port.scatter(rows, [rowsOf(held, 'rows_SD')]);
    await programs.forward.run(groupOf(held));
    if (unit.kind === 'train') {
      this.held.set(keyOf(unit), held);
      cores.forEach((core, i) => core.count(counts[i]));
    } else this.idle.push(context);
    const outputs = await port.gather([rowsOf(held, 'outputs_SD')], ctx.sender);
    this.router(ctx).tell.outputs({ ...unit, group: this.parts.group, rows: outputs });
  }

  async outputsGradient(
    { counts: _counts, rows, ...unit }: ArgsOf<Messages, 'outputsGradient'>,
    ctx: Context,
  ): Promise<void> {
    const { programs, port, group } = this.parts;
    const held = this.takeHeld(unit);
    port.scatter(rows, [rowsOf(held, 'd_outputs_SD')]);
    await programs.backwardInput.run(groupOf(held));
    const gradients = await port.gather([rowsOf(held, 'd_rows_SD')], ctx.sender);
    this.router(ctx).tell.rowsGradient({ ...unit, group, rows: gradients });
    // Nobody waits for the gradients of weights but the vote: rows of others go before them.
    this.weighing = this.weighing.then(() => this.weigh(unit, held));
  }

  /** What went wrong beside the messages ends the group as if it had been a message. */
  weightsFailed(): void {
    if (this.failure !== null) throw this.failure;
  }

  advanced({ version }: ArgsOf<Messages, 'advanced'>, ctx: Context): void {
    const there = this.reached.get(version) ?? new Set();
    this.reached.set(version, there.add(ctx.sender));
    if (there.size < this.parts.cores.length) return;
    this.reached.delete(version);
    this.scope.setParamsVersion(version);
  }

  /** Waits for the gradients of weights in the making, so that nothing is written any more when it is answered. */
  async abandon(): Promise<void> {
    await this.weighing;
    this.weightsFailed();
    this.held.clear();
    this.idle = [...this.parts.contexts];
    for (const core of this.parts.cores) core.abandon();
    this.parts.port.abandon(this.scope.address);
  }

  /** A microbatch on its way back, which is so once. */
  private takeHeld(unit: Unit): Held {
    const held = this.held.get(keyOf(unit));
    if (held === undefined)
      throw new Error(`${this.scope.address}: a gradient of ${keyOf(unit)}, of which it holds no rows`);
    this.held.delete(keyOf(unit));
    return held;
  }

  /** The leaves of a microbatch, one batch of experts after another, in the gaps that rows leave. */
  private async weigh(unit: Unit, held: Held): Promise<void> {
    const { cores, programs } = this.parts;
    const { context, counts } = held;
    try {
      for (const batch of programs.backwardWeight.batches(counts)) {
        const leaves = new Map(batch.map((i) => [i, { ...context.own[i], ...cores[i].openLeaf(unit) }]));
        await programs.backwardWeight.runLater({ ...groupOf(held), own: (i) => leaves.get(i)! }, batch);
        for (const i of batch) await cores[i].closeLeaf(unit);
      }
      this.idle.push(context);
    } catch (error) {
      this.failure = error instanceof Error ? error : new Error(String(error));
      this.scope.ref(expertGroupProtocol, this.scope.address).tell.weightsFailed();
    }
  }

  private router(ctx: Context) {
    return ctx.ref(routerProtocol, ctx.sender);
  }
}

export interface ExpertGroupParts {
  readonly group: number;
  readonly cores: readonly ExpertCore[];
  readonly programs: ExpertPrograms;
  readonly port: RowsPort;
  /** Of the microbatches that may be with it at once. */
  readonly contexts: readonly GroupContext[];
}

const groupOf = ({ context: { slab, own }, counts }: Held) => ({ slab, own: (i: number) => own[i], rows: counts });

/** The rows of all experts, in a tensor of the slab. */
const rowsOf = ({ context, counts }: Held, name: string): RowRange => ({
  tensor: context.slab[name],
  rows: counts.reduce((sum, count) => sum + count, 0),
});
