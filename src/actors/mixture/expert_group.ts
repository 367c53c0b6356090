/**
 * The experts of one layer that live on one worker, as seen by the routers: one address for their rows. The group runs
 * each expert over its own rows, side by side where they are few, and answers with one envelope. It owns nothing: state is the experts'.
 */
import type { Actor, ActorScope, ArgsOf, Context } from '../../runtime/index.ts';
import type { ExpertCore } from './expert_core.ts';
import type { ExpertPart, ExpertPrograms, ExpertRun } from './expert_programs.ts';
import { expertGroupProtocol } from '../protocol/expert.ts';
import type { Unit } from '../protocol/pass.ts';
import { routerProtocol } from '../protocol/router.ts';
import type { RowRange, RowsPort } from '../stage/rows_port.ts';

type Messages = typeof expertGroupProtocol;

export class ExpertGroup implements Actor<Messages> {
  private readonly group: number;
  private readonly cores: readonly ExpertCore[];
  private readonly programs: ExpertPrograms;
  private readonly port: RowsPort;
  private readonly scope: ActorScope;
  /** By version above the group's: the experts that have said that they reached it. */
  private readonly reached = new Map<number, Set<string>>();
  /** The gradients of weights that are being made, beside the messages that come. */
  private weighing: Promise<void> = Promise.resolve();
  private failure: Error | null = null;

  constructor({ group, cores, programs, port }: ExpertGroupParts, scope: ActorScope) {
    this.group = group;
    this.cores = cores;
    this.programs = programs;
    this.port = port;
    this.scope = scope;
    scope.setParamsVersion(0);
  }

  async dispatch({ counts, rows, ...unit }: ArgsOf<Messages, 'dispatch'>, ctx: Context): Promise<void> {
    // Memory that only gradients of weights keep is free once these are made.
    if (this.cores.some((core) => core.isFull)) await this.weighing;
    const runs = this.cores.map((core, i) => core.admit(counts[i]));
    this.port.scatter(rows, rangesOf(runs, 'rows_SD'));
    await this.runAll('forward', runs);
    this.cores.forEach((core, i) => core.hold(unit, runs[i]));
    const outputs = await this.port.gather(rangesOf(runs, 'outputs_SD'), ctx.sender);
    this.router(ctx).tell.outputs({ ...unit, group: this.group, rows: outputs });
  }

  async outputsGradient(
    { counts: _counts, rows, ...unit }: ArgsOf<Messages, 'outputsGradient'>,
    ctx: Context,
  ): Promise<void> {
    const runs = this.cores.map((core) => core.heldOf(unit));
    this.port.scatter(rows, rangesOf(runs, 'd_outputs_SD'));
    await this.runAll('backwardInput', runs);
    const gradients = await this.port.gather(rangesOf(runs, 'd_rows_SD'), ctx.sender);
    this.router(ctx).tell.rowsGradient({ ...unit, group: this.group, rows: gradients });
    // Nobody waits for the gradients of weights but the vote: rows of others go before them.
    this.weighing = this.weighing.then(() => this.weigh(unit, runs));
  }

  /** What went wrong beside the messages ends the group as if it had been a message. */
  weightsFailed(): void {
    if (this.failure !== null) throw this.failure;
  }

  advanced({ version }: ArgsOf<Messages, 'advanced'>, ctx: Context): void {
    const there = this.reached.get(version) ?? new Set();
    this.reached.set(version, there.add(ctx.sender));
    if (there.size < this.cores.length) return;
    this.reached.delete(version);
    this.scope.setParamsVersion(version);
  }

  /** Waits for the gradients of weights in the making, so that nothing is written any more when it is answered. */
  async abandon(): Promise<void> {
    await this.weighing;
    this.weightsFailed();
    for (const core of this.cores) core.abandon();
    this.port.abandon(this.scope.address);
  }

  /** All at once: the device runs them in order, and nothing of its worker's own comes between. */
  private async runAll(part: ExpertPart, runs: readonly ExpertRun[]): Promise<void> {
    const batches = this.programs.batches(runs).map((batch) => batch.map((i) => runs[i]));
    await Promise.all(batches.map((batch) => this.programs.run(part, batch)));
  }

  /** The leaves of a microbatch, one batch of experts after another, in the gaps that rows leave. */
  private async weigh(unit: Unit, runs: readonly ExpertRun[]): Promise<void> {
    try {
      for (const batch of this.programs.batches(runs)) {
        const cores = batch.map((i) => this.cores[i]);
        const leaves = cores.map((core) => core.openLeaf(unit));
        await this.programs.run('backwardWeight', leaves, 'later');
        for (const core of cores) await core.closeLeaf(unit);
      }
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
}

/** The live rows that each run has of a tensor. */
const rangesOf = (runs: readonly ExpertRun[], name: string): RowRange[] =>
  runs.map(({ bindings, rows }) => ({ tensor: bindings[name], rows }));
