/**
 * A pipeline stage: the actor that takes microbatches through its layers, forward and back. It never waits for anybody:
 * where rows are handed to a router or sent to another stage, another microbatch has its turn until they come back as a
 * message. Whose turn it is `schedule` says; everything it sends names the microbatch.
 */
import type { Device } from '../../kernels/device.ts';
import { batchStreams } from '../../models/model.ts';
import type { Actor, ActorScope, ArgsOf, Context, TensorPayload } from '../../runtime/index.ts';
import { liveRows, type BatchPort } from './batch_port.ts';
import type { LogitsHead } from './logits_head.ts';
import { dataOf, keyOf, type Unit } from '../protocol/pass.ts';
import type { Rows } from '../protocol/rows.ts';
import { stageProtocol, type Open } from '../protocol/stage.ts';
import { emptyVote, type LossReport, type Vote } from '../protocol/parameters.ts';
import { Shareholder } from '../parameters/shareholder.ts';
import type { Shareholding } from '../parameters/shareholding.ts';
import { nextTurn, type UnderWay } from './schedule.ts';
import { lossOf } from './stage_loss.ts';
import type { StageContext } from './stage_context.ts';
import { StagePeers, type PeerParts } from './stage_peers.ts';
import { gradientKey } from './stage_plan.ts';
import { StageRun, type OpenLeaf } from './stage_run.ts';

type Messages = typeof stageProtocol;

/** What a stage is made with; all memory was taken before, so that starting cannot fail for lack of it. */
export interface StageParts extends PeerParts {
  readonly device: Device;
  /** The single sequence of generation; on the last stage with the head that gives logits. */
  readonly generation: { readonly context: StageContext; readonly logits: LogitsHead | null };
  readonly batches: BatchPort;
  readonly tokensPerStep: number;
  /** The stream that the model's losses are in. */
  readonly streams: { readonly losses: string };
}

/** A pass that this stage is in. */
interface Pass {
  readonly open: Open;
  readonly prompt: { readonly tokens: Int32Array; readonly position: number } | null;
  /** Microbatches under way, by their index in `open.microbatches`. */
  readonly runs: Map<number, StageRun>;
  begun: number;
  readonly losses: LossReport[];
  logits: TensorPayload | null;
  isDone: boolean;
}

export class Stage extends Shareholder implements Actor<Messages> {
  private readonly parts: StageParts;
  private readonly scope: ActorScope;
  private readonly peers: StagePeers;
  private idle: StageContext[];
  /** Rows that came before their turn, by microbatch and tensor. */
  private readonly early = new Map<string, Rows>();
  private pass: Pass | null = null;
  /** Whether it has told itself to go on. */
  private goesOn = false;
  /** d(loss)/d(loss of a token), the same for every microbatch of a pass; null where this stage has no losses. */
  private readonly dLosses_R: Float32Array | null;

  constructor(parts: StageParts, share: Shareholding, scope: ActorScope) {
    super(share);
    this.parts = parts;
    this.scope = scope;
    this.peers = new StagePeers(parts, scope);
    this.idle = [...parts.contexts];
    const dLosses = parts.contexts[0].tensors[gradientKey(parts.streams.losses)];
    this.dLosses_R = dLosses === undefined ? null : new Float32Array(dLosses.shape[0]);
  }

  async open(open: Open): Promise<void> {
    const { prompt, lossScale = 1 } = open;
    this.dLosses_R?.fill(lossScale / this.parts.tokensPerStep);
    this.pass = {
      open,
      // The message's tensors end with this handler; generation reads its prompt later.
      prompt: prompt && { tokens: Int32Array.from(dataOf(prompt.tokens)), position: prompt.position },
      runs: new Map(),
      begun: 0,
      losses: [],
      logits: null,
      isDone: false,
    };
    await this.proceed(this.pass);
  }

  async stream({ name, rows, ...unit }: ArgsOf<Messages, 'stream'>, ctx: Context): Promise<void> {
    await this.arrived(unit, this.peers.keyOf(name, ctx.sender, false), rows);
  }

  async streamGradient({ name, rows, ...unit }: ArgsOf<Messages, 'streamGradient'>, ctx: Context): Promise<void> {
    await this.arrived(unit, this.peers.keyOf(name, ctx.sender, true), rows);
  }

  async goOn(): Promise<void> {
    this.goesOn = false;
    if (this.pass !== null) await this.proceed(this.pass);
  }

  override progress(): { isDone: boolean; hasGradient: boolean } {
    return { isDone: this.pass?.isDone === true, hasGradient: this.pass?.open.mode === 'train' };
  }

  override report(): Omit<Vote, 'squares'> {
    const { losses, logits } = this.pass!;
    this.pass = null;
    return { ...emptyVote, losses: losses.toSorted((a, b) => a.microbatch - b.microbatch), logits };
  }

  override forget(): void {
    this.pass = null;
    this.goesOn = false;
    this.early.clear();
    this.parts.port.abandon(this.scope.address);
    this.idle = [...this.parts.contexts];
  }

  private async arrived(unit: Unit, key: string, rows: Rows): Promise<void> {
    const index = this.pass?.open.microbatches.indexOf(unit.microbatch) ?? -1;
    const run = this.pass?.runs.get(index);
    const tensor = run !== undefined && keyOf(run.unit) === keyOf(unit) ? run.place(key) : null;
    if (tensor === null) this.early.set(`${keyOf(unit)} ${key}`, this.parts.port.keep(rows));
    else this.peers.lay(rows, tensor);
    if (this.pass !== null) await this.proceed(this.pass);
  }

  /** Takes one turn after another until all wait; after rows have gone out, whoever got them has a turn first. */
  private async proceed(pass: Pass): Promise<void> {
    for (let index = this.nextOf(pass); index !== null; index = this.nextOf(pass)) {
      const run = pass.runs.get(index) ?? this.start(pass, index);
      const stop = await this.turnOf(pass, index, run);
      if (stop === 'out' && this.nextOf(pass) !== null) {
        if (!this.goesOn) this.scope.ref(stageProtocol, this.scope.address).tell.goOn();
        this.goesOn = true;
        return;
      }
    }
    if (pass.isDone || pass.runs.size > 0 || pass.begun < pass.open.microbatches.length) return;
    pass.isDone = true;
    await this.share.conclude();
  }

  private nextOf(pass: Pass): number | null {
    const { microbatches, mode, step } = pass.open;
    const underWay = [...pass.runs].map(([index, run]): UnderWay => {
      const isReady = run.missing.every(({ key }) => this.early.has(`${keyOf(run.unit)} ${key}`));
      return { index, phase: run.phase, isReady };
    });
    const { begun } = pass;
    const context = mode === 'generate' ? this.parts.generation.context : this.parts.contexts[0];
    const canBegin = context.plan.forward[0].needs.every(({ key }) =>
      this.early.has(`${keyOf({ mode, step, microbatch: microbatches[begun] })} ${key}`),
    );
    return nextTurn({ underWay, begun, count: microbatches.length, window: this.parts.contexts.length, canBegin });
  }

  /** Gives a microbatch a context and what the batch has for it. */
  private start(pass: Pass, index: number): StageRun {
    const { device, batches, generation, streams } = this.parts;
    const unit = { mode: pass.open.mode, step: pass.open.step, microbatch: pass.open.microbatches[index] };
    const context = unit.mode === 'generate' ? generation.context : this.idle.pop();
    if (context === undefined) throw new Error(`${this.scope.address}: more microbatches under way than contexts`);
    const { [batchStreams.tokens]: tokens_R, [batchStreams.targets]: targets_R } = context.tensors;
    const dLosses_R = context.tensors[gradientKey(streams.losses)];
    const batch = pass.prompt ?? batches.microbatch(unit);
    if (tokens_R !== undefined) device.write(tokens_R, batch.tokens);
    if (targets_R !== undefined && 'targets' in batch) device.write(targets_R, batch.targets);
    if (dLosses_R !== undefined && unit.mode === 'train') device.write(dLosses_R, this.dLosses_R!);
    const run = new StageRun(unit, context, 'targets' in batch ? liveRows(batch.targets) : batch.position + 1);
    pass.runs.set(index, run);
    pass.begun++;
    return run;
  }

  /** Takes a microbatch on until it stops; `out` where rows have gone out. */
  private async turnOf(pass: Pass, index: number, run: StageRun): Promise<'out' | 'stopped'> {
    if (run.phase === 'between') run.turn();
    for (const { key } of run.missing) {
      const early = `${keyOf(run.unit)} ${key}`;
      const rows = this.early.get(early);
      const tensor = rows === undefined ? null : run.place(key);
      if (rows !== undefined && tensor !== null) this.peers.lay(rows, tensor);
      this.early.delete(early);
    }
    const stop = await run.advance(run.phase === 'backward' ? this.leafOf(run.unit) : null);
    if (typeof stop !== 'string') await this.peers.send(run, stop, pass.open.lossScale);
    if (run.isAtEnd) await this.endOf(pass, index, run);
    return typeof stop === 'string' ? 'stopped' : 'out';
  }

  private leafOf({ microbatch }: Unit): OpenLeaf {
    const { leaves } = this.share;
    return { views: leaves.open(microbatch).views, wrote: (keys) => leaves.wrote(microbatch, keys) };
  }

  /** The end of a way: forward there may be one back; behind that one the context is free. */
  private async endOf(pass: Pass, index: number, run: StageRun): Promise<void> {
    const { device, generation, streams } = this.parts;
    if (run.phase === 'backward') this.share.leaves.end(run.unit.microbatch);
    else if (pass.prompt !== null) {
      if (generation.logits !== null) pass.logits = await generation.logits.at(pass.prompt.position);
    } else {
      const losses_R = run.context.tensors[streams.losses];
      const targets_R = run.context.tensors[batchStreams.targets];
      if (losses_R !== undefined) pass.losses.push(await lossOf(device, run.unit, losses_R, targets_R));
      if (pass.open.mode === 'train') {
        run.rest();
        return;
      }
    }
    pass.runs.delete(index);
    if (run.unit.mode !== 'generate') this.idle.push(run.context);
  }
}
