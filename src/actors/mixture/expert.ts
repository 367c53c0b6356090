/**
 * An expert: the actor that owns one feed-forward network's slice, gradient, vote and share of a checkpoint. Its rows
 * come through its group, which runs all experts that live together.
 */
import type { Actor, ActorScope, ArgsOf, Context, Reply } from '../../runtime/index.ts';
import { Shareholder } from '../parameters/shareholder.ts';
import { Shareholding } from '../parameters/shareholding.ts';
import { groupAddress } from '../placement/addresses.ts';
import { expertGroupProtocol, type expertProtocol } from '../protocol/expert.ts';
import { emptyVote, type Vote } from '../protocol/parameters.ts';
import type { ExpertCore } from './expert_core.ts';

type Messages = typeof expertProtocol;

export interface ExpertPlace {
  /** Name of the mixture. */
  readonly mixture: string;
  readonly group: number;
}

export class Expert extends Shareholder implements Actor<Messages> {
  private readonly core: ExpertCore;
  private readonly place: ExpertPlace;
  /** Whether the gradient of the step in hand is summed. */
  private isSummed = false;
  /** The vote that is being made, beside the messages that come. */
  private voting: Promise<void> = Promise.resolve();

  constructor(core: ExpertCore, place: ExpertPlace, scope: ActorScope) {
    const group = scope.ref(expertGroupProtocol, groupAddress(place.mixture, place.group));
    // The group speaks for its experts, so it must know which parameters they have reached.
    const setParamsVersion = (version: number | null): void => {
      scope.setParamsVersion(version);
      if (version !== null) group.tell.advanced({ version });
    };
    const ref: ActorScope['ref'] = (protocol, address) => scope.ref(protocol, address);
    super(new Shareholding(core.share, { address: scope.address, ref, setParamsVersion }));
    this.core = core;
    this.place = place;
  }

  override async prepare(args: ArgsOf<Messages, 'prepare'>, ctx: Context): Promise<Reply<Vote>> {
    const reply = await super.prepare(args, ctx);
    // What completes it is a message to its group.
    this.core.whenComplete(() => {
      this.voting = this.vote();
    });
    return reply;
  }

  /** Asked after its group has abandoned the pass, so that no vote begins any more. */
  override async abandon(): Promise<number> {
    await this.voting;
    return await super.abandon();
  }

  override progress(): { isDone: boolean; hasGradient: boolean } {
    return { isDone: this.isSummed, hasGradient: true };
  }

  override report(): Omit<Vote, 'squares'> {
    this.isSummed = false;
    return { ...emptyVote, processed: { [this.place.mixture]: this.core.endPass() } };
  }

  override forget(): void {
    this.isSummed = false;
  }

  private async vote(): Promise<void> {
    try {
      this.isSummed = true;
      await this.share.conclude();
    } catch (error) {
      this.share.refuse(error);
    }
  }
}
