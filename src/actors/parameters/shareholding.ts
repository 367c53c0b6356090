/**
 * A shareholding: what an actor holds of a model's parameters, together with those that hold the same. It sums the gradient of
 * a step over all of them, votes with it, applies what is decided, and gives and takes state for checkpoints. Stage, router and
 * expert each have one. Of several sharers all compute everything, and the first reports.
 */
import type { FlatArena } from '../../kernels/device.ts';
import type { ActorScope, Context, Handlers, Reply, TensorPayload } from '../../runtime/index.ts';
import type { BlockMessage, SumMessage } from '../protocol/reduce.ts';
import type { AppliedDecision, parametersProtocol, StatePart, Vote } from '../protocol/parameters.ts';
import { sumsProtocol } from '../protocol/reduce.ts';
import { AllReduce } from './all_reduce.ts';
import type { Bucket } from './bucket.ts';
import type { GradientTree } from './gradient_tree.ts';
import type { LeafGradients } from './leaf_gradients.ts';
import type { Gradient } from './parameter_set.ts';
import type { ShareParts } from './share_parts.ts';

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
  private readonly allReduces: readonly AllReduce[];
  /** By bucket name; of those that are shared. */
  private readonly allReduceOf: ReadonlyMap<string, AllReduce>;
  /** Names of the parameters that this sharer reports. */
  private readonly reported: readonly string[];
  /** Summed gradients of buckets that nobody shares, until they are voted on; null where no microbatch had any. */
  private readonly own = new Map<Bucket, FlatArena | null>();
  /** That the decision will be about. */
  private gradient: Gradient | null = null;
  private waiting: Reply<Vote> | null = null;
  private pass: PassInHand | null = null;
  private dataStep = 0;

  constructor(parts: ShareParts, scope: ShareScope) {
    const { device, parameters, leaves, sharings } = parts;
    this.parts = parts;
    this.leaves = leaves;
    this.scope = scope;
    const allReduceOf = new Map<string, AllReduce>();
    this.allReduces = sharings.map((sharing) => {
      const other = (rank: number) => scope.ref(sumsProtocol, sharing.sharers[rank]);
      const allReduce = new AllReduce(device, sharing, {
        block: (rank, message) => other(rank).tell.block(message),
        sum: (rank, message) => other(rank).tell.sum(message),
      });
      for (const { plan } of sharing.buckets) allReduceOf.set(plan.name, allReduce);
      return allReduce;
    });
    this.allReduceOf = allReduceOf;
    this.reported = parameters.reportedBy(scope.address);
    leaves.handTo((bucket, tree) => this.reduce(bucket, tree));
    this.setStep(0);
  }

  /** From now on it answers for the passes of `pass`. */
  serve(pass: PassInHand): void {
    this.pass = pass;
  }

  async block(message: BlockMessage): Promise<void> {
    await this.sharedBucket(message.bucket).onBlock(message);
    await this.conclude();
  }

  async sum(message: SumMessage): Promise<void> {
    await this.sharedBucket(message.bucket).onSum(message);
    await this.conclude();
  }

  async prepare(_args: unknown, ctx: Context): Promise<Reply<Vote>> {
    const reply = ctx.defer<Vote>();
    this.waiting = reply;
    await this.conclude();
    return reply;
  }

  /** Answers `prepare` once the pass is done and its gradient is summed. */
  async conclude(): Promise<void> {
    if (this.waiting === null || this.pass === null) return;
    const { isDone, hasGradient } = this.pass.progress();
    if (!isDone) return;
    if (hasGradient) {
      const gradient = this.takeSum();
      if (gradient === null) return;
      this.gradient = gradient;
    }
    const { waiting } = this;
    this.waiting = null;
    try {
      const vote = { ...this.pass.report(), squares: await this.squares() };
      // An actor that ended in between has refused its replies.
      if (!waiting.settled) waiting.resolve(vote);
    } catch (error) {
      // It is waited for still, so that whoever takes the error can refuse it.
      this.waiting = waiting;
      throw error;
    }
  }

  /** Takes the gradient of a step, which is whole, for the decision about it; gives its squares to who votes for this holder. */
  async vote(): Promise<Readonly<Record<string, number>>> {
    const gradient = this.takeSum();
    if (gradient === null) throw new Error(`${this.scope.address}: asked for a vote before its gradient is whole`);
    this.gradient = gradient;
    return await this.squares();
  }

  /** Refuses the vote that is waited for. */
  refuse(error: unknown): void {
    if (this.waiting?.settled === false) this.waiting.reject(error);
    this.waiting = null;
  }

  /** Idempotent: only a decision about the step in hand changes anything. */
  async apply(decision: AppliedDecision): Promise<void> {
    if (decision.step !== this.dataStep) return;
    if (this.gradient !== null && decision.verdict === 'commit') {
      await this.parts.parameters.update(this.gradient, decision);
    }
    this.dropGradient();
    this.setStep(decision.step + 1);
  }

  /** Drops the pass under way; a gradient that was voted on is kept. Returns the data steps that the parameters have seen. */
  abandon(): number {
    this.refuse(new Error('the gen of this pass is over'));
    this.leaves.abandon();
    giveBack(this.own);
    this.own.clear();
    for (const allReduce of this.allReduces) allReduce.abandon();
    this.pass?.forget();
    return this.dataStep;
  }

  /** Applies the decision that stands where it was not applied yet; without one, lets go of what was voted on. */
  async settle({ decision }: { decision: AppliedDecision | null }): Promise<void> {
    if (decision !== null) await this.apply(decision);
    this.dropGradient();
  }

  /** Those of the named parameters that this sharer reports, with what their rules keep of them. */
  async save({ parameters }: { parameters: readonly string[] }): Promise<{ tensors: Record<string, TensorPayload> }> {
    const asked = new Set(parameters);
    return { tensors: await this.parts.parameters.save(this.reported.filter((name) => asked.has(name))) };
  }

  restore({ parts, dataStep }: { parts: readonly StatePart[]; dataStep: number }): void {
    this.parts.parameters.restore(parts);
    this.setStep(dataStep);
  }

  async digest(): Promise<Record<string, string>> {
    return await this.parts.parameters.digest(this.reported);
  }

  /** A bucket of which all own leaves are there: to the sum over its sharers, or into the one that is nobody else's. */
  private async reduce(bucket: Bucket, tree: GradientTree<FlatArena>): Promise<void> {
    const shared = this.allReduceOf.get(bucket.plan.name);
    if (shared === undefined) this.own.set(bucket, await tree.root());
    else await shared.contribute(bucket, tree.drain());
  }

  private sharedBucket(name: string): AllReduce {
    const shared = this.allReduceOf.get(name);
    if (shared === undefined) throw new RangeError(`${this.scope.address}: no bucket ${name} is shared`);
    return shared;
  }

  /** The gradient of everything that learns, once all of it is summed; else null. */
  private takeSum(): Gradient | null {
    const { learning } = this.parts.parameters;
    if (this.own.size + this.allReduceOf.size < learning.length) return null;
    if (!this.allReduces.every((allReduce) => allReduce.isWhole)) return null;
    const gradient = new Map([...this.own, ...this.allReduces.flatMap((allReduce) => allReduce.take())]);
    this.own.clear();
    return gradient;
  }

  /** Sums of squares of what of the held gradient this sharer reports. */
  private async squares(): Promise<Record<string, number>> {
    return this.gradient === null ? {} : await this.parts.parameters.squares(this.gradient, this.reported);
  }

  private dropGradient(): void {
    if (this.gradient !== null) giveBack(this.gradient);
    this.gradient = null;
  }

  private setStep(step: number): void {
    this.dataStep = step;
    this.leaves.begin();
    this.scope.setParamsVersion(step);
  }
}

function giveBack(gradient: Gradient): void {
  for (const [bucket, arena] of gradient) if (arena !== null) bucket.giveGradient(arena);
}
