/**
 * A role that other data-parallel ranks may hold too: a stage or a router. Its gradient is summed over the replicas before
 * it votes; all replicas then apply the same update, and the first of them reports. One that is alone folds its own
 * leaves in the same tree, on its device.
 */
import type { Device } from '../../kernels/device.ts';
import type { ActorScope, Context, Reply } from '../../runtime/index.ts';
import type { OptimizerSection } from '../../topology/index.ts';
import { AllReduce, type Replicas } from './all_reduce.ts';
import { LeafGradients } from './leaf_gradients.ts';
import { ParameterRole } from './parameter_role.ts';
import type { Gradient, ParameterSet } from './parameter_set.ts';
import type { BlockMessage, SumMessage } from '../protocol/reduce.ts';
import type { Decision, Vote } from '../protocol/stateful.ts';

export interface ReplicatedParts {
  readonly device: Device;
  readonly parameters: ParameterSet;
  readonly optimizer: OptimizerSection;
  readonly place: { readonly dataRank: number; readonly dataRanks: number; readonly globalMicrobatches: number };
}

export abstract class ReplicatedRole extends ParameterRole {
  protected readonly leaves: LeafGradients;
  private readonly ownParameters: ParameterSet;
  private readonly allReduce: AllReduce;
  private readonly isAlone: boolean;
  /** The summed gradient of one that is alone, until it is taken. */
  private own: Gradient | null = null;
  private waiting: Reply<Vote> | null = null;

  constructor({ device, parameters, optimizer, place }: ReplicatedParts, scope: ActorScope, replicas: Replicas) {
    super(parameters, optimizer, scope, place.dataRank === 0);
    this.ownParameters = parameters;
    this.leaves = new LeafGradients(parameters);
    const identity = { rank: place.dataRank, ranks: place.dataRanks, leaves: place.globalMicrobatches };
    this.allReduce = new AllReduce(device, identity, parameters.lengths, replicas);
    this.isAlone = place.dataRanks === 1;
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

  async apply(decision: Decision): Promise<void> {
    await this.applyDecision(decision);
  }

  abandon(): number {
    this.waiting?.reject(new Error('the gen of this pass is over'));
    this.waiting = null;
    this.leaves.abandon();
    const unfinished = this.takeOwn() ?? this.allReduce.abandon();
    if (unfinished !== null) this.ownParameters.giveGradient(unfinished);
    this.forget();
    return this.version;
  }

  /** Drops what this role knows of the pass under way; its microbatches' contexts are free again. */
  protected abstract forget(): void;

  /** Whether this replica has done its own part of the pass, and whether a gradient comes of it. */
  protected abstract progress(): { readonly isDone: boolean; readonly hasGradient: boolean };

  /** What this role found in the pass; called once, at its end. */
  protected abstract report(): Omit<Vote, 'squares'>;

  /** All own leaves of the step are closed: hands them to the sum over replicas. */
  protected async reduce(step: number): Promise<void> {
    if (this.isAlone) this.own = await this.leaves.root();
    else await this.leaves.reduce(step, this.allReduce);
  }

  /** Answers `prepare` once the pass is done and its gradient is summed. */
  protected async conclude(): Promise<void> {
    const { isDone, hasGradient } = this.progress();
    if (this.waiting === null || !isDone) return;
    if (hasGradient) {
      const gradient = this.takeOwn() ?? this.allReduce.take();
      if (gradient === null) return;
      this.holdGradient(gradient);
    }
    const { waiting } = this;
    this.waiting = null;
    waiting.resolve({ ...this.report(), squares: await this.squares() });
  }

  private takeOwn(): Gradient | null {
    const { own } = this;
    this.own = null;
    return own;
  }
}
