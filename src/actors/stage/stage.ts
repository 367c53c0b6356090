/**
 * A pipeline stage: the actor that takes microbatches through its layers, forward and back. It never waits for anybody:
 * at a mixture layer it hands its rows to the router and goes on when they come back as a message. The order of its
 * turns is `schedule`'s; everything it sends names the microbatch.
 */
import type { Device, Tensor } from '../../kernels/device.ts';
import type { Actor, ActorScope, ArgsOf, TensorPayload } from '../../runtime/index.ts';
import { routerAddress, stageAddress } from '../placement/addresses.ts';
import { liveRows, type BatchPort } from './batch_port.ts';
import type { LogitsHead } from './logits_head.ts';
import { dataOf, keyOf, type Unit } from '../protocol/pass.ts';
import { routerProtocol } from '../protocol/router.ts';
import type { Rows } from '../protocol/rows.ts';
import { stageProtocol, type Open } from '../protocol/stage.ts';
import { emptyVote, type LossReport, type Vote } from '../protocol/parameters.ts';
import { Shareholder } from '../parameters/shareholder.ts';
import type { Shareholding } from '../parameters/shareholding.ts';
import type { RowsPort } from './rows_port.ts';
import { schedule, type Turn } from './schedule.ts';
import { lossOf } from './stage_loss.ts';
import type { ReadyExchange, StageContext } from './stage_context.ts';
import { StageRun } from './stage_run.ts';

type Messages = typeof stageProtocol;

/** What a stage is made with; all memory was taken before, so that starting cannot fail for lack of it. */
export interface StageParts {
  readonly device: Device;
  readonly place: StagePlace;
  readonly port: RowsPort;
  /** One for each microbatch that may be under way at once. */
  readonly contexts: readonly StageContext[];
  /** The single sequence of generation; on the last stage with the head that gives logits. */
  readonly generation: { readonly context: StageContext; readonly logits: LogitsHead | null };
  readonly batches: BatchPort;
  readonly tokensPerStep: number;
}

export interface StagePlace {
  readonly pipelineRank: number;
  readonly pipelineRanks: number;
  readonly dataRank: number;
}

/** A pass that this stage is in. */
interface Pass {
  readonly open: Open;
  readonly prompt: { readonly tokens: Int32Array; readonly position: number } | null;
  readonly turns: readonly Turn[];
  at: number;
  readonly runs: Map<number, StageRun>;
  readonly losses: LossReport[];
  logits: TensorPayload | null;
  isDone: boolean;
}

export class Stage extends Shareholder implements Actor<Messages> {
  private readonly parts: StageParts;
  private readonly scope: ActorScope;
  private idle: StageContext[];
  /** Rows that came from neighbours before their turn, by phase and microbatch. */
  private readonly early = new Map<string, Rows>();
  private pass: Pass | null = null;
  /** d(loss)/d(loss of a token), the same for every microbatch of a pass; null where this stage has no losses. */
  private readonly dLosses_R: Float32Array | null;

  constructor(parts: StageParts, share: Shareholding, scope: ActorScope) {
    super(share);
    this.parts = parts;
    this.scope = scope;
    this.idle = [...parts.contexts];
    const { d_losses_R } = parts.contexts[0].ends;
    this.dLosses_R = d_losses_R ? new Float32Array(d_losses_R.shape[0]) : null;
  }

  async open(open: Open): Promise<void> {
    const { pipelineRank, pipelineRanks } = this.parts.place;
    const { prompt, microbatches, mode, lossScale = 1 } = open;
    this.dLosses_R?.fill(lossScale / this.parts.tokensPerStep);
    this.pass = {
      open,
      // The message's tensors end with this handler; generation reads its prompt later.
      prompt: prompt && { tokens: Int32Array.from(dataOf(prompt.tokens)), position: prompt.position },
      turns: schedule(pipelineRank, pipelineRanks, microbatches.length, mode === 'train'),
      at: 0,
      runs: new Map(),
      losses: [],
      logits: null,
      isDone: false,
    };
    await this.proceed(this.pass);
  }

  async combined({ rows, ...unit }: ArgsOf<Messages, 'combined'>): Promise<void> {
    await this.cameBack(unit, (exchange) => exchange.mixed, rows);
  }

  async routed({ rows, ...unit }: ArgsOf<Messages, 'routed'>): Promise<void> {
    await this.cameBack(unit, (exchange) => exchange.dRouted, rows);
  }

  async activations({ rows, ...unit }: ArgsOf<Messages, 'activations'>): Promise<void> {
    await this.arrived(`forward/${keyOf(unit)}`, rows);
  }

  async activationsGradient({ rows, ...unit }: ArgsOf<Messages, 'activationsGradient'>): Promise<void> {
    await this.arrived(`backward/${keyOf(unit)}`, rows);
  }

  progress(): { isDone: boolean; hasGradient: boolean } {
    return { isDone: this.pass?.isDone === true, hasGradient: this.pass?.open.mode === 'train' };
  }

  report(): Omit<Vote, 'squares'> {
    const { losses, logits } = this.pass!;
    this.pass = null;
    return { ...emptyVote, losses, logits };
  }

  forget(): void {
    this.pass = null;
    this.early.clear();
    this.parts.port.abandon(this.scope.address);
    this.idle = [...this.parts.contexts];
  }

  private async arrived(key: string, rows: Rows): Promise<void> {
    this.early.set(key, this.parts.port.keep(rows));
    if (this.pass !== null) await this.proceed(this.pass);
  }

  private async cameBack(unit: Unit, target: (exchange: ReadyExchange) => Tensor, rows: Rows): Promise<void> {
    const run = this.pass?.runs.get(unit.microbatch);
    if (this.pass === null || run?.waitsFor == null || keyOf(run.unit) !== keyOf(unit)) {
      throw new Error(`${this.scope.address}: rows of ${keyOf(unit)} came back, which were not sent`);
    }
    this.lay(rows, target(run.waitsFor));
    run.waitsFor = null;
    await this.proceed(this.pass);
  }

  /** Takes turns in the schedule's order until one has to wait for a message. */
  private async proceed(pass: Pass): Promise<void> {
    for (let turn = pass.turns.at(pass.at); turn !== undefined; turn = pass.turns.at(++pass.at)) {
      const microbatch = pass.open.microbatches[turn.microbatch];
      const run = pass.runs.get(microbatch) ?? this.start(pass, microbatch);
      if (run === null || run.waitsFor !== null) return;
      if (turn.phase === 'backward' && !run.isBackward && !this.turnBack(run)) return;
      const gradients = turn.phase === 'backward' ? this.share.leaves.open(microbatch).views : {};
      const exchange = await run.advance(gradients);
      if (exchange !== null) {
        await this.handOver(pass, run, exchange);
        return;
      }
      await this.finishTurn(pass, turn, run);
    }
    if (pass.isDone) return;
    pass.isDone = true;
    if (pass.open.mode === 'train') await this.share.reduce(pass.open.step);
    await this.share.conclude();
  }

  /** Gives a microbatch a context and its input; null when that has not come yet. */
  private start(pass: Pass, microbatch: number): StageRun | null {
    const { device, place, batches, generation } = this.parts;
    const unit = { mode: pass.open.mode, step: pass.open.step, microbatch };
    const key = `forward/${keyOf(unit)}`;
    const input = this.early.get(key);
    if (place.pipelineRank > 0 && input === undefined) return null;
    const context = unit.mode === 'generate' ? generation.context : this.idle.pop();
    if (context === undefined) throw new Error(`${this.scope.address}: more microbatches under way than contexts`);
    this.early.delete(key);
    if (input !== undefined) this.lay(input, context.input!.rows);
    const { tokens_R, targets_R, d_losses_R } = context.ends;
    const batch = pass.prompt ?? batches.microbatch(unit);
    if (tokens_R !== undefined) device.write(tokens_R, batch.tokens);
    if (targets_R !== undefined && 'targets' in batch) device.write(targets_R, batch.targets);
    if (d_losses_R !== undefined && unit.mode === 'train') device.write(d_losses_R, this.dLosses_R!);
    const run = new StageRun(unit, context, 'targets' in batch ? liveRows(batch.targets) : batch.position + 1);
    pass.runs.set(microbatch, run);
    return run;
  }

  /** Begins the way back; false when the gradient from the stage behind has not come yet. */
  private turnBack(run: StageRun): boolean {
    if (run.context.output !== null) {
      const key = `backward/${keyOf(run.unit)}`;
      const gradient = this.early.get(key);
      if (gradient === undefined) return false;
      this.early.delete(key);
      this.lay(gradient, run.context.output.gradient);
    }
    run.turn();
    return true;
  }

  private async handOver({ open }: Pass, run: StageRun, { layer, routed, dMixed }: ReadyExchange): Promise<void> {
    const router = this.scope.ref(routerProtocol, routerAddress(layer, this.parts.place.dataRank));
    if (run.isBackward) {
      const scaled = open.lossScale === undefined ? {} : { lossScale: open.lossScale };
      router.tell.combineGradient({ ...run.unit, ...scaled, rows: await this.rowsOf(dMixed, router.address) });
    } else router.tell.route({ ...run.unit, live: run.live, rows: await this.rowsOf(routed, router.address) });
  }

  private async finishTurn(pass: Pass, turn: Turn, { unit, context }: StageRun): Promise<void> {
    if (turn.phase === 'backward') {
      if (context.input !== null) {
        const before = this.neighbour(-1);
        const rows = await this.rowsOf(context.input.gradient, before.address);
        before.tell.activationsGradient({ ...unit, rows });
      }
      await this.share.leaves.close(unit.microbatch);
    } else if (context.output !== null) {
      const behind = this.neighbour(1);
      behind.tell.activations({ ...unit, rows: await this.rowsOf(context.output.rows, behind.address) });
    } else if (pass.prompt !== null) {
      pass.logits = await this.parts.generation.logits!.at(pass.prompt.position);
    } else pass.losses.push(await lossOf(this.parts.device, unit, context));
    if (turn.phase === 'forward' && pass.open.mode === 'train') return;
    pass.runs.delete(unit.microbatch);
    if (unit.mode !== 'generate') this.idle.push(context);
  }

  private neighbour(by: -1 | 1) {
    const { pipelineRank, dataRank } = this.parts.place;
    return this.scope.ref(stageProtocol, stageAddress(pipelineRank + by, dataRank));
  }

  private rowsOf(tensor: Tensor, to: string): Promise<Rows> {
    return this.parts.port.gather([{ tensor, rows: tensor.shape[0] }], to);
  }

  private lay(rows: Rows, tensor: Tensor): void {
    this.parts.port.scatter(rows, [{ tensor, rows: rows.shape[0] }]);
  }
}
