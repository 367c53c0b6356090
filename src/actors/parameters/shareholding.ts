/**
 * A shareholding: what an actor holds of a model's parameters, together with those that hold the same. It sums the gradient of
 * a step over all of them, votes with it, applies what is decided, and gives and takes state for checkpoints. Stage, router and
 * expert each have one. Of several sharers all compute everything, and the first reports.
 */
import type { Device } from '../../kernels/device.ts';
import type { ActorScope, Context, Handlers, Reply, TensorPayload } from '../../runtime/index.ts';
import type { OptimizerSection } from '../../topology/index.ts';
import type { BlockMessage, SumMessage } from '../protocol/reduce.ts';
import type { Decision, parametersProtocol, Vote } from '../protocol/parameters.ts';
import { sumsProtocol } from '../protocol/reduce.ts';
import { AllReduce } from './all_reduce.ts';
import type { LeafGradients } from './leaf_gradients.ts';
import type { Gradient, ParameterSet } from './parameter_set.ts';

export interface ShareParts {
  readonly device: Device;
  readonly parameters: ParameterSet;
  /** Of the microbatches that this actor takes through its programs. */
  readonly leaves: LeafGradients;
  readonly optimizer: OptimizerSection;
  /** Addresses of all that hold the same parameters, the actor's own among them. */
  readonly sharers: readonly string[];
  /** Global microbatches of a step, of all sharers. */
  readonly microbatches: number;
}

/** The part of an actor's scope that its shareholding needs. */
export type ShareScope = Pick<ActorScope, 'address' | 'ref' | 'setParamsVersion'>;

/** The pass that the actor itself is in, as its shareholding sees it. */
export interface PassInHand {
  /** Whether the actor has done its own part, and whether a gradient comes of it. */
  progress(): { readonly isDone: boolean; readonly hasGradient: boolean };
  /** What it found; called once, at the end. */
  report(): Omit<Vote, 'squares'>;
  /** Drops what it knows of the pass; its microbatches' memory is free again. */
  forget(): void;
}

export class Shareholding implements Handlers<typeof parametersProtocol> {
  readonly leaves: LeafGradients;
  private readonly parts: ShareParts;
  private readonly scope: ShareScope;
  private readonly allReduce: AllReduce;
  private readonly isAlone: boolean;
  private readonly isReporter: boolean;
  /** The summed gradient of one that is alone, until it is voted on. */
  private own: Gradient | null = null;
  /** That the decision will be about. */
  private gradient: Gradient | null = null;
  private waiting: Reply<Vote> | null = null;
  private pass: PassInHand | null = null;
  private dataStep = 0;

  constructor(parts: ShareParts, scope: ShareScope) {
    const { device, parameters, leaves, sharers, microbatches } = parts;
    this.parts = parts;
    this.leaves = leaves;
    this.scope = scope;
    const rank = sharers.indexOf(scope.address);
    const sharing = { rank, ranks: sharers.length, leaves: microbatches };
    const other = (of: number) => scope.ref(sumsProtocol, sharers[of]);
    this.allReduce = new AllReduce(device, sharing, parameters.lengths, {
      block: (of, message) => other(of).tell.block(message),
      sum: (of, message) => other(of).tell.sum(message),
    });
    this.isAlone = sharers.length === 1;
    this.isReporter = rank === 0;
    this.setStep(0);
  }

  /** From now on it answers for the passes of `pass`. */
  serve(pass: PassInHand): void {
    this.pass = pass;
  }

  async block(message: BlockMessage): Promise<void> {
    await this.allReduce.onBlock(message);
    await this.conclude();
  }

  async sum(message: SumMessage): Promise<void> {
    this.allReduce.onSum(message);
    await this.conclude();
  }

  async prepare(_args: unknown, ctx: Context): Promise<Reply<Vote>> {
    const reply = ctx.defer<Vote>();
    this.waiting = reply;
    await this.conclude();
    return reply;
  }

  /** All own leaves of the step are closed: hands them to the sum over sharers. */
  async reduce(step: number): Promise<void> {
    if (this.isAlone) this.own = await this.leaves.root();
    else await this.leaves.reduce(step, this.allReduce);
  }

  /** Answers `prepare` once the pass is done and its gradient is summed. */
  async conclude(): Promise<void> {
    if (this.waiting === null || this.pass === null) return;
    const { isDone, hasGradient } = this.pass.progress();
    if (!isDone) return;
    if (hasGradient) {
      const gradient = this.takeOwn() ?? this.allReduce.take();
      if (gradient === null) return;
      this.gradient = gradient;
    }
    const { waiting } = this;
    this.waiting = null;
    const vote = { ...this.pass.report(), squares: await this.squares() };
    // An actor that ended in between has refused its replies.
    if (!waiting.settled) waiting.resolve(vote);
  }

  /** Refuses the vote that is waited for. */
  refuse(error: unknown): void {
    if (this.waiting?.settled === false) this.waiting.reject(error);
    this.waiting = null;
  }

  /** Idempotent: only a decision about the step in hand changes anything. */
  async apply(decision: Decision): Promise<void> {
    if (decision.step !== this.dataStep) return;
    const { parameters, optimizer } = this.parts;
    if (this.gradient !== null && decision.verdict === 'commit') {
      await parameters.update(this.gradient, decision, optimizer);
    }
    this.dropGradient();
    this.setStep(decision.step + 1);
  }

  /** Drops the pass under way; a gradient that was voted on is kept. Returns the data steps that the parameters have seen. */
  abandon(): number {
    this.refuse(new Error('the gen of this pass is over'));
    this.leaves.abandon();
    const unfinished = this.takeOwn() ?? this.allReduce.abandon();
    if (unfinished !== null) this.parts.parameters.giveGradient(unfinished);
    this.pass?.forget();
    return this.dataStep;
  }

  /** Applies the decision that stands where it was not applied yet; without one, lets go of what was voted on. */
  async settle({ decision }: { decision: Decision | null }): Promise<void> {
    if (decision !== null) await this.apply(decision);
    this.dropGradient();
  }

  /** The named parameters and their moments, if this sharer reports. */
  async save({ parameters }: { parameters: readonly string[] }): Promise<{ tensors: Record<string, TensorPayload> }> {
    return { tensors: this.isReporter ? await this.parts.parameters.save(parameters) : {} };
  }

  restore({ tensors, dataStep }: { tensors: Record<string, TensorPayload>; dataStep: number }): void {
    this.parts.parameters.restore(tensors);
    this.setStep(dataStep);
  }

  async digest(): Promise<Record<string, string>> {
    return this.isReporter ? await this.parts.parameters.digest() : {};
  }

  /** Sums of squares of the held gradient, if this sharer reports. */
  private async squares(): Promise<Record<string, number>> {
    return this.gradient !== null && this.isReporter ? await this.parts.parameters.squares(this.gradient) : {};
  }

  private dropGradient(): void {
    if (this.gradient !== null) this.parts.parameters.giveGradient(this.gradient);
    this.gradient = null;
  }

  private takeOwn(): Gradient | null {
    const { own } = this;
    this.own = null;
    return own;
  }

  private setStep(step: number): void {
    this.dataStep = step;
    this.scope.setParamsVersion(step);
  }
}
