/**
 * An expert: the actor that answers for one feed-forward network's slice and its share of a checkpoint. Its rows come through its
 * group, which runs all experts that live together, and votes and applies for them.
 */
import type { Actor, ActorScope, ArgsOf } from '../../runtime/index.ts';
import { Shareholding } from '../parameters/shareholding.ts';
import type { expertProtocol } from '../protocol/expert.ts';
import type { ExpertCore } from './expert_core.ts';

type Messages = typeof expertProtocol;

export class Expert implements Actor<Messages> {
  private readonly share: Shareholding;

  constructor(core: ExpertCore, scope: ActorScope) {
    const ref: ActorScope['ref'] = (protocol, address) => scope.ref(protocol, address);
    // The group speaks for its experts, so it must know which parameters they have reached.
    const setParamsVersion = (version: number | null): void => {
      if (version !== null) core.reach(version);
    };
    this.share = new Shareholding(core.share, { address: scope.address, ref, setParamsVersion });
    core.holdBy(this.share);
  }

  /** Asked after its group has abandoned the pass, so that no vote begins any more. */
  abandon(): number {
    return this.share.abandon();
  }

  settle(args: ArgsOf<Messages, 'settle'>): Promise<void> {
    return this.share.settle(args);
  }

  save(args: ArgsOf<Messages, 'save'>): ReturnType<Shareholding['save']> {
    return this.share.save(args);
  }

  restore(args: ArgsOf<Messages, 'restore'>): void {
    this.share.restore(args);
  }

  digest(): Promise<Record<string, string>> {
    return this.share.digest();
  }
}
