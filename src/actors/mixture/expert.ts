/**
 * An expert: the actor that owns one feed-forward network's slice, gradient, vote and share of a checkpoint. Its rows
 * come through its group, which runs all experts that live together.
 */
import type { Actor, ActorScope, ArgsOf, Context, Reply } from '../../runtime/index.ts';
import type { OptimizerSection } from '../../topology/index.ts';
import { groupAddress } from '../placement/addresses.ts';
import type { ExpertCore } from './expert_core.ts';
import { ParameterRole } from '../parameters/parameter_role.ts';
import { expertGroupProtocol, type expertProtocol } from '../protocol/expert.ts';
import { emptyVote, type Decision, type Vote } from '../protocol/stateful.ts';

type Messages = typeof expertProtocol;

export interface ExpertPlace {
  readonly layer: number;
  readonly group: number;
}

export class Expert extends ParameterRole implements Actor<Messages> {
  private readonly core: ExpertCore;
  private readonly place: ExpertPlace;
  private waiting: Reply<Vote> | null = null;
  /** The vote that is being made, beside the messages that come. */
  private voting: Promise<void> = Promise.resolve();

  constructor(core: ExpertCore, optimizer: OptimizerSection, place: ExpertPlace, scope: ActorScope) {
    const group = scope.ref(expertGroupProtocol, groupAddress(place.layer, place.group));
    // The group speaks for its experts, so it must know which parameters they have reached.
    const versions = {
      setParamsVersion: (version: number | null) => {
        scope.setParamsVersion(version);
        if (version !== null) group.tell.advanced({ version });
      },
    };
    super(core.parameters, optimizer, versions, true);
    this.core = core;
    this.place = place;
  }

  prepare(_args: ArgsOf<Messages, 'prepare'>, ctx: Context): Reply<Vote> {
    const reply = ctx.defer<Vote>();
    this.waiting = reply;
    this.core.whenComplete(() => {
      this.voting = this.answer(reply);
    });
    return reply;
  }

  /** Asked after its group has abandoned the pass, so that no vote begins any more. */
  async abandon(): Promise<number> {
    await this.voting;
    if (this.waiting?.settled === false) this.waiting.reject(new Error('the gen of this pass is over'));
    this.waiting = null;
    return this.version;
  }

  async apply(decision: Decision): Promise<void> {
    await this.applyDecision(decision);
  }

  /** The core outlives its actor: a reply that was refused because the actor ended is not given again. */
  private async answer(reply: Reply<Vote>): Promise<void> {
    try {
      const vote = await this.vote();
      if (!reply.settled) reply.resolve(vote);
    } catch (error) {
      if (!reply.settled) reply.reject(error);
    }
  }

  private async vote(): Promise<Vote> {
    const { gradient, processed } = await this.core.take();
    this.holdGradient(gradient);
    return { ...emptyVote, squares: await this.squares(), processed: { [this.place.layer]: processed } };
  }
}
