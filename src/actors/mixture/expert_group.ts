/**
 * The experts of one layer that live on one worker, as seen by the routers: one address for their rows. The group runs all
 * experts over the rows that came for each, where they lie one behind another, and answers with one envelope. It owns the memory
 * of the microbatches that are with it; parameters and gradients are the experts', for whom it votes and applies.
 */
import type { Actor, ActorScope, ArgsOf, Context, Reply } from '../../runtime/index.ts';
import type { ExpertCore } from './expert_core.ts';
import type { ExpertPrograms } from './expert_programs.ts';
import type { GroupContext } from './group_context.ts';
import { GroupVote } from './group_vote.ts';
import { expertGroupProtocol } from '../protocol/expert.ts';
import type { AppliedDecision, Vote } from '../protocol/parameters.ts';
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
  private readonly vote: GroupVote;
  /** How many experts have reached a version of their parameters. */
  private readonly reached = new Map<number, number>();
  /** The gradients of weights that are being made, beside the messages that come. */
  private weighing: Promise<void> = Promise.resolve();
  private failure: Error | null = null;

  constructor(parts: ExpertGroupParts, scope: ActorScope) {
    this.parts = parts;
    this.scope = scope;
    this.idle = [...parts.contexts];
    this.vote = new GroupVote(parts);
    scope.setParamsVersion(0);
    for (const core of parts.cores) {
      this.countAt(core.version, 1);
      core.whenReached((from, to) => this.advance(from, to));
    }
  }

  async dispatch({ counts, rows, ...unit }: ArgsOf<Messages, 'dispatch'>, ctx: Context): Promise<void> {
    const { programs, port } = this.parts;
    if (this.held.has(keyOf(unit))) throw new Error(`${this.scope.address}: rows of ${keyOf(unit)} came twice`);
    // Memory that only gradients of weights keep is free once these are made.
    if (this.idle.length === 0) await this.weighing;
    const context = this.idle.pop();
    if (context === undefined) throw new Error(`${this.scope.address}: more microbatches under way than contexts`);
    const held = { context, counts };
    port.scatter(rows, [rowsOf(held, 'rows_SD')]);
    await port.recall(context.slab.outputs_SD);
    await programs.forward.run(groupOf(held));
    if (unit.kind === 'train') {
      this.held.set(keyOf(unit), held);
      this.vote.count(rows.shape[0]);
    } else this.idle.push(context);
    const outputs = await port.lend(rowsOf(held, 'outputs_SD'), ctx.sender);
    this.router(ctx).tell.outputs({ ...unit, group: this.parts.group, rows: outputs });
  }

  async outputsGradient(
    { counts: _counts, rows, ...unit }: ArgsOf<Messages, 'outputsGradient'>,
    ctx: Context,
  ): Promise<void> {
    const { programs, port, group } = this.parts;
    const held = this.takeHeld(unit);
    port.scatter(rows, [rowsOf(held, 'd_outputs_SD')]);
    await port.recall(held.context.slab.d_rows_SD);
    await programs.backwardInput.run(groupOf(held));
    const gradients = await port.lend(rowsOf(held, 'd_rows_SD'), ctx.sender);
    this.router(ctx).tell.rowsGradient({ ...unit, group, rows: gradients });
    // Nobody waits for the gradients of weights but the vote: rows of others go before them.
    this.weighing = this.weighing.then(() => this.weigh(unit, held));
  }

  /** What went wrong beside the messages ends the group as if it had been a message. */
  weightsFailed(): void {
    if (this.failure !== null) throw this.failure;
  }

  prepare(_args: undefined, ctx: Context): Reply<Vote> {
    return this.vote.prepare(ctx);
  }

  apply(decision: AppliedDecision): Promise<void> {
    return this.vote.apply(decision);
  }

  /** Waits for gradients and a vote in the making, so that nothing is written any more when it is answered. */
  async abandon(): Promise<void> {
    await this.weighing;
    this.weightsFailed();
    await this.vote.abandon();
    this.held.clear();
    this.idle = [...this.parts.contexts];
    this.parts.port.abandon(this.scope.address);
  }

  /** It speaks for its experts, so it has reached a version of the parameters when all of them have. */
  private advance(from: number, to: number): void {
    this.countAt(from, -1);
    if (this.countAt(to, 1) === this.parts.cores.length) this.scope.setParamsVersion(to);
  }

  private countAt(version: number, change: 1 | -1): number {
    const count = (this.reached.get(version) ?? 0) + change;
    if (count === 0) this.reached.delete(version);
    else this.reached.set(version, count);
    return count;
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
        // Without rows there is nothing to run, to sum or to count.
        if (batch.every((i) => counts[i] === 0)) {
          for (const i of batch) await cores[i].skipLeaf(unit);
          continue;
        }
        const leaves = new Map(batch.map((i) => [i, { ...context.own[i], ...cores[i].openLeaf(unit) }]));
        await programs.backwardWeight.runLater({ ...groupOf(held), own: (i) => leaves.get(i)! }, batch);
        for (const i of batch) await cores[i].closeLeaf(unit);
      }
      this.idle.push(context);
      this.vote.weigh();
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
  /** Name of the mixture. */
  readonly mixture: string;
  readonly group: number;
  readonly cores: readonly ExpertCore[];
  /** Microbatches that make a step. */
  readonly microbatches: number;
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
