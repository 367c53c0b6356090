/**
 * A pipeline stage: the actor that takes microbatches through its layers, forward and back. It never waits for anybody:
 * where rows are handed to a router or sent to another stage, another microbatch has its turn until they come back as a
 * message. Whose turn it is `schedule` says; everything it sends names the microbatch.
 */
import type { Device } from '../../kernels/device.ts';
import { elements } from '../../kernels/shape.ts';
import type { ModelObjective } from '../../models/model.ts';
import type { Actor, ActorScope, ArgsOf, Context, Reply } from '../../runtime/index.ts';
import type { BatchPort } from './batch_port.ts';
import type { LogitsHead } from './logits_head.ts';
import { isSamePass, keyOf, type Pass, type Unit } from '../protocol/pass.ts';
import type { PassReport } from '../protocol/report.ts';
import type { Rows } from '../protocol/rows.ts';
import { stageProtocol, type Open } from '../protocol/stage.ts';
import { emptyVote, type Vote } from '../protocol/parameters.ts';
import { Shareholder } from '../parameters/shareholder.ts';
import type { Shareholding } from '../parameters/shareholding.ts';
import { batchTensor, outputOf, passInHand, promptBatch, reportOf, type PassInHand } from './pass_in_hand.ts';
import { nextTurn, type UnderWay } from './schedule.ts';
import { denominatorName, sumsOf } from './microbatch_sums.ts';
import { tapsOf, type Observation } from './observation.ts';
import type { StageContext } from './stage_context.ts';
import { StagePeers, type PeerParts } from './stage_peers.ts';
import { gradientKey } from './stage_plan.ts';
import { StageRun, type OpenLeaf } from './stage_run.ts';

type Messages = typeof stageProtocol;

/** What a stage is made with; all memory was taken before, so that starting cannot fail for lack of it. */
export interface StageParts extends PeerParts {
  readonly device: Device;
  /** The single sequence of decoding; on the last stage with the head that gives logits. */
  readonly decoding: { readonly context: StageContext; readonly logits: LogitsHead | null };
  /** Null where the run has no taps. */
  readonly observation: Observation | null;
  readonly batches: BatchPort;
  readonly objective: ModelObjective;
}

export class Stage extends Shareholder implements Actor<Messages> {
  private readonly parts: StageParts;
  private readonly scope: ActorScope;
  private readonly peers: StagePeers;
  /** Rows that came before their turn, by microbatch and tensor. */
  private readonly early = new Map<string, Rows>();
  private pass: PassInHand | null = null;
  private waiting: { readonly pass: Pass; readonly reply: Reply<PassReport> } | null = null;
  /** Whether it has told itself to go on. */
  private goesOn = false;
  /** d(loss)/d(loss of an element), the same for every microbatch of a pass; null where this stage has no losses. */
  private readonly dLosses_N: Float32Array | null;

  constructor(parts: StageParts, share: Shareholding, scope: ActorScope) {
    super(share);
    this.parts = parts;
    this.scope = scope;
    this.peers = new StagePeers(parts, scope);
    const dLosses = parts.contexts[0].tensors[gradientKey(parts.objective.losses)];
    this.dLosses_N = dLosses === undefined ? null : new Float32Array(elements(dLosses.shape));
  }

  async open(open: Open): Promise<void> {
    const { pass, lossScale = 1 } = open;
    const hasGradient = pass.kind === 'train' && this.dLosses_N !== null;
    const denominator = hasGradient ? this.parts.batches.weightOf(pass.step) : 0;
    if (hasGradient) this.dLosses_N?.fill(lossScale / denominator);
    this.pass = passInHand(open, this.contextsFor(pass), denominator);
    await this.proceed(this.pass);
  }

  finish(pass: Pass, ctx: Context): Reply<PassReport> {
    if (this.waiting?.reply.settled === false) throw new Error(`${this.scope.address}: a pass is waited for already`);
    const reply = ctx.defer<PassReport>();
    this.waiting = { pass, reply };
    this.finishIfDone();
    return reply;
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
    return { isDone: this.pass?.isDone === true && this.pass.open.pass.kind === 'train', hasGradient: true };
  }

  override report(): Omit<Vote, 'squares'> {
    const { sums } = reportOf(this.pass!);
    this.pass = null;
    return { ...emptyVote, sums };
  }

  override forget(): void {
    if (this.waiting?.reply.settled === false) this.waiting.reply.reject(new Error('the gen of this pass is over'));
    this.waiting = null;
    this.pass = null;
    this.goesOn = false;
    this.early.clear();
    this.parts.port.abandon(this.scope.address);
  }

  /** Answers whoever waits for the end of a pass that is not for training. */
  private finishIfDone(): void {
    const { pass, waiting } = this;
    if (pass?.isDone !== true || waiting === null || !isSamePass(pass.open.pass, waiting.pass)) return;
    this.waiting = null;
    this.pass = null;
    waiting.reply.resolve(reportOf(pass));
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
  private async proceed(pass: PassInHand): Promise<void> {
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
    this.finishIfDone();
    await this.share.conclude();
  }

  private nextOf(pass: PassInHand): number | null {
    const { microbatches } = pass.open;
    const underWay = [...pass.runs].map(([index, run]): UnderWay => {
      const isReady = run.missing.every(({ key }) => this.early.has(`${keyOf(run.unit)} ${key}`));
      return { index, phase: run.phase, isReady };
    });
    const { begun } = pass;
    const [{ plan }] = pass.contexts;
    const canBegin = plan.forward[0].needs.every(({ key }) =>
      this.early.has(`${keyOf({ ...pass.open.pass, microbatch: microbatches[begun] })} ${key}`),
    );
    return nextTurn({ underWay, begun, count: microbatches.length, window: pass.contexts.length, canBegin });
  }

  /** Gives a microbatch a context and what the batch has for it. Throws `BatchLacks`. */
  private start(pass: PassInHand, index: number): StageRun {
    const { device, batches, objective } = this.parts;
    const { prompt } = pass;
    const unit = { ...pass.open.pass, microbatch: pass.open.microbatches[index] };
    const context = pass.idle.pop();
    if (context === undefined) throw new Error(`${this.scope.address}: more microbatches under way than contexts`);
    const batch = prompt === null ? batches.microbatch(unit) : promptBatch(prompt);
    for (const [stream, tensor] of Object.entries(context.tensors)) {
      if (stream.startsWith('batch.')) device.write(tensor, batchTensor(batch, stream, elements(tensor.shape)));
    }
    const dLosses_N = context.tensors[gradientKey(objective.losses)];
    if (dLosses_N !== undefined && unit.kind === 'train') device.write(dLosses_N, this.dLosses_N!);
    const run = new StageRun(unit, context, batch);
    pass.runs.set(index, run);
    pass.begun++;
    return run;
  }

  /** Takes a microbatch on until it stops; `out` where rows have gone out. */
  private async turnOf(pass: PassInHand, index: number, run: StageRun): Promise<'out' | 'stopped'> {
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
  private async endOf(pass: PassInHand, index: number, run: StageRun): Promise<void> {
    const { device, decoding, observation, objective } = this.parts;
    const { unit, context } = run;
    if (run.phase === 'backward') this.share.leaves.end(unit.microbatch);
    else if (pass.prompt !== null) {
      const { logits } = decoding;
      if (logits !== null) pass.outputs.push(outputOf('logits', unit, await logits.at(pass.prompt.position)));
    } else if (unit.kind === 'observe') pass.outputs.push(...(await tapsOf(device, observation!, unit)));
    else {
      if (context.tensors[objective.losses] !== undefined) await this.addSums(pass, run);
      if (unit.kind === 'train') {
        run.rest();
        return;
      }
    }
    pass.runs.delete(index);
    pass.idle.push(context);
  }

  private contextsFor({ kind }: Pass): readonly StageContext[] {
    const { contexts, decoding, observation } = this.parts;
    if (kind === 'decode') return [decoding.context];
    if (kind !== 'observe') return contexts;
    if (observation === null) throw new Error(`${this.scope.address}: its run was not started to observe`);
    return [observation.context];
  }

  private async addSums(
    { open, denominator, sums, outputs }: PassInHand,
    { unit, context, batch }: StageRun,
  ): Promise<void> {
    const { device, objective } = this.parts;
    const weights = objective.weightsOf(batch.tensors);
    const found = await sumsOf(device, context.tensors, objective, weights, { microbatch: unit.microbatch, batch });
    sums.push(...found.sums);
    if (unit.kind === 'train') {
      const [{ microbatch, weight }] = found.sums;
      sums.push({ name: denominatorName, corpus: '', microbatch, sum: denominator, weight });
    }
    if (open.elements === true) outputs.push(outputOf('losses', unit, found.losses_N.slice()));
  }
}
