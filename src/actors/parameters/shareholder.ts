/** An actor that has a shareholding, which answers all messages about its parameters; what remains is its own work in a pass. */
import type { ArgsOf, Context, Reply } from '../../runtime/index.ts';
import type { AppliedDecision, parametersProtocol, Vote } from '../protocol/parameters.ts';
import type { BlockMessage, SumMessage } from '../protocol/reduce.ts';
import type { PassInHand, Shareholding } from './shareholding.ts';
import { StateHolder } from './state_holder.ts';

type Messages = typeof parametersProtocol;

export abstract class Shareholder extends StateHolder implements PassInHand {
  constructor(share: Shareholding) {
    super(share);
    share.serve(this);
  }

  abstract progress(): { readonly isDone: boolean; readonly hasGradient: boolean };
  abstract report(): Omit<Vote, 'squares'>;
  abstract forget(): void;

  block(message: BlockMessage): Promise<void> {
    return this.share.block(message);
  }

  sum(message: SumMessage): Promise<void> {
    return this.share.sum(message);
  }

  prepare(args: ArgsOf<Messages, 'prepare'>, ctx: Context): Promise<Reply<Vote>> {
    return this.share.prepare(args, ctx);
  }

  apply(decision: AppliedDecision): Promise<void> {
    return this.share.apply(decision);
  }
}
