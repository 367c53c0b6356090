/**
 * A pipeline stage: the actor that takes microbatches through its layers, forward and back. It never waits for anybody:
 * at a mixture layer it hands its rows to the router and goes on when they come back as a message. The order of its
 * turns is `schedule`'s; everything it sends names the microbatch.
 */
import { floats } from '../kernels/dtype.ts';
import type { Device, Executable, Tensor } from '../kernels/device.ts';
import type { Actor, ActorScope, ArgsOf, Context, Reply, TensorPayload } from '../runtime/index.ts';
import type { OptimizerSection } from '../topology/index.ts';
import { routerAddress, stageAddress } from './addresses.ts';
import { AllReduce } from './all_reduce.ts';
import type { BatchPort } from './batch_port.ts';
import { LeafGradients } from './leaf_gradients.ts';
import { ParameterRole } from './parameter_role.ts';
import type { ParameterSet } from './parameter_set.ts';
import { dataOf, keyOf, payload, type Unit } from './protocol/pass.ts';
import { routerProtocol } from './protocol/router.ts';
import { stageProtocol, type Open } from './protocol/stage.ts';
import { emptyVote, type Decision, type LossReport, type Vote } from './protocol/stateful.ts';
import { schedule, type Turn } from './schedule.ts';
import type { StageContext } from './stage_context.ts';
import { StageRun } from './stage_run.ts';

type Messages = typeof stageProtocol;

/** What a stage is made with; all memory was taken before, so that starting cannot fail for lack of it. */
export interface StageParts {
  readonly device: Device;
  readonly parameters: ParameterSet;
  readonly optimizer: OptimizerSection;
  readonly place: StagePlace;
  /** One for each microbatch that may be under way at once. */
  readonly contexts: readonly StageContext[];
  /** The single sequence of generation; on the last stage with the head that gives logits. */
  readonly generation: { readonly context: StageContext; readonly logits: LogitsHead | null };
  readonly batches: BatchPort;
  readonly tokensPerStep: number;
}

export interface LogitsHead {
  readonly executable: Executable;
  readonly bindings: Readonly<Record<string, Tensor>>;
  readonly position: Tensor;
  /** logits_2V. */
  readonly output: Tensor;
}

export interface StagePlace {
  readonly pipelineRank: number;
  readonly pipelineRanks: number;
  readonly dataRank: number;
  readonly dataRanks: number;
  readonly globalMicrobatches: number;
}

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

export class Stage extends ParameterRole implements Actor<Messages> {
  private readonly parts: StageParts;
  private readonly scope: ActorScope;
  private readonly leaves: LeafGradients;
  private readonly reduce: AllReduce;
  private readonly idle: StageContext[];
  /** Rows that came from neighbours before their turn, by phase and microbatch. */
  private readonly early = new Map<string, Float32Array>();
  private pass: Pass | null = null;
  private waiting: Reply<Vote> | null = null;

  constructor(parts: StageParts, scope: ActorScope) {
    super(parts.parameters, parts.optimizer, scope, parts.place.dataRank === 0);
    this.parts = parts;
    this.scope = scope;
    this.idle = [...parts.contexts];
    this.leaves = new LeafGradients(parts.parameters);
    const { pipelineRank, dataRank, dataRanks, globalMicrobatches } = parts.place;
    const replica = (rank: number) => scope.ref(stageProtocol, stageAddress(pipelineRank, rank));
    this.reduce = new AllReduce(
      parts.device,
      { rank: dataRank, ranks: dataRanks, leaves: globalMicrobatches },
      parts.parameters.lengths,
      { block: (rank, message) => replica(rank).tell.block(message), sum: (rank, message) => replica(rank).tell.sum(message) },
    );
  }

  async open(open: Open): Promise<void> {
    const { pipelineRank, pipelineRanks } = this.parts.place;
    const { prompt, microbatches, mode } = open;
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

  private async arrived(key: string, { data }: TensorPayload): Promise<void> {
    this.early.set(key, floats('rows', dataOf({ dtype: 'f32', shape: [data.length], data: Float32Array.from(data) })));
    if (this.pass !== null) await this.proceed(this.pass);
  }

  private async cameBack(
    unit: Unit,
    target: (exchange: NonNullable<StageRun['waitsFor']>) => Tensor,
    rows: TensorPayload,
  ): Promise<void> {
    const run = this.pass?.runs.get(unit.microbatch);
    if (this.pass === null || run?.waitsFor == null || keyOf(run.unit) !== keyOf(unit)) {
      throw new Error(`${this.scope.address}: rows of ${keyOf(unit)} came back, which were not sent`);
    }
    this.parts.device.write(target(run.waitsFor), dataOf(rows));
    run.waitsFor = null;
    await this.proceed(this.pass);
  }

  /** Takes turns in the schedule's order until one has to wait for a message. */
  private async proceed(pass: Pass): Promise<void> {
    for (let turn = pass.turns[pass.at]; turn !== undefined; turn = pass.turns[++pass.at]) {
      const microbatch = pass.open.microbatches[turn.microbatch]!;
      const run = pass.runs.get(microbatch) ?? this.start(pass, microbatch);
      if (run === null || run.waitsFor !== null) return;
      if (turn.phase === 'backward' && !run.isBackward && !this.turnBack(run)) return;
      const gradient = turn.phase === 'backward' ? this.leaves.open(microbatch) : null;
      const exchange = await run.advance(gradient?.views ?? {});
      if (exchange !== null) {
        const router = this.scope.ref(routerProtocol, routerAddress(exchange.layer, this.parts.place.dataRank));
        if (run.isBackward) router.tell.combineGradient({ ...run.unit, rows: this.rowsOf(exchange.dMixed) });
        else router.tell.route({ ...run.unit, rows: this.rowsOf(exchange.routed) });
        return;
      }
      await this.finishTurn(pass, turn, run);
    }
    if (!pass.isDone) await this.finishPass(pass);
  }

  /** Gives a microbatch a context and its input; null when that has not come yet. */
  private start(pass: Pass, microbatch: number): StageRun | null {
    const { device, place, batches, tokensPerStep, generation } = this.parts;
    const unit = { mode: pass.open.mode, step: pass.open.step, microbatch };
    const key = `forward/${keyOf(unit)}`;
    const input = this.early.get(key);
    if (place.pipelineRank > 0 && input === undefined) return null;
    const context = unit.mode === 'generate' ? generation.context : this.idle.pop();
    if (context === undefined) throw new Error(`${this.scope.address}: more microbatches under way than contexts`);
    this.early.delete(key);
    if (input !== undefined) device.write(context.input!.rows, input);
    const { tokens_R, targets_R, d_losses_R } = context.ends;
    const batch = pass.prompt ?? batches.microbatch(unit);
    if (tokens_R !== undefined) device.write(tokens_R, batch.tokens);
    if (targets_R !== undefined && 'targets' in batch) device.write(targets_R, batch.targets);
    if (d_losses_R !== undefined) floats('d_losses', device.read(d_losses_R)).fill(1 / tokensPerStep);
    const run = new StageRun(unit, context);
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
      this.parts.device.write(run.context.output.gradient, gradient);
    }
    run.turn();
    return true;
  }

  private async finishTurn(pass: Pass, turn: Turn, run: StageRun): Promise<void> {
    const { place } = this.parts;
    const { unit, context } = run;
    const neighbour = (by: number) => this.scope.ref(stageProtocol, stageAddress(place.pipelineRank + by, place.dataRank));
    if (turn.phase === 'backward') {
      if (context.input !== null) {
        neighbour(-1).tell.activationsGradient({ ...unit, rows: this.rowsOf(context.input.gradient) });
      }
      await this.leaves.close(unit.microbatch);
    } else if (context.output !== null) {
      neighbour(1).tell.activations({ ...unit, rows: this.rowsOf(context.output.rows) });
    } else if (pass.prompt !== null) {
      pass.logits = await this.logits(pass.prompt.position);
    } else pass.losses.push(this.lossReport(run));
    if (turn.phase === 'backward' || pass.open.mode !== 'train') {
      pass.runs.delete(unit.microbatch);
      if (unit.mode !== 'generate') this.idle.push(context);
    }
  }

  private async finishPass(pass: Pass): Promise<void> {
    pass.isDone = true;
    if (pass.open.mode === 'train') await this.leaves.reduce(pass.open.step, this.reduce);
    this.conclude();
  }

  /** Answers `prepare` once the pass is done and, in training, its gradient is summed over the replicas. */
  private conclude(): void {
    const { pass, waiting } = this;
    if (pass?.isDone !== true || waiting === null) return;
    if (pass.open.mode === 'train') {
      const gradient = this.reduce.take();
      if (gradient === null) return;
      this.holdGradient(gradient);
    }
    this.pass = null;
    this.waiting = null;
    waiting.resolve({ ...emptyVote, squares: this.squares(), losses: pass.losses, logits: pass.logits });
  }

  private lossReport({ unit, context }: StageRun): LossReport {
    const { losses_R, targets_R } = context.ends;
    const losses = floats('losses', this.parts.device.read(losses_R!));
    const targets = this.parts.device.read(targets_R!);
    let tokens = 0;
    for (const target of targets) if (target >= 0) tokens++;
    return { microbatch: unit.microbatch, sum: losses.reduce((sum, loss) => sum + loss, 0), tokens };
  }

  private async logits(at: number): Promise<TensorPayload> {
    const { executable, bindings, position, output } = this.parts.generation.logits!;
    this.parts.device.write(position, Int32Array.of(at, at));
    await executable.run(bindings);
    const vocabulary = output.shape[1]!;
    return payload(this.parts.device.read(output, vocabulary).slice(), [vocabulary]);
  }

  private rowsOf(tensor: Tensor): TensorPayload {
    return payload(this.parts.device.read(tensor), tensor.shape);
  }
}
