/**
 * An expert: the actor that answers for one feed-forward network's slice and its share of a checkpoint. Its rows come through its
 * group, which runs all experts that live together, and votes and applies for them.
 */
import type { Actor, ActorScope } from '../../runtime/index.ts';
import { Shareholding } from '../parameters/shareholding.ts';
import { StateHolder } from '../parameters/state_holder.ts';
import type { expertProtocol } from '../protocol/expert.ts';
import type { ExpertCore } from './expert_core.ts';

type Messages = typeof expertProtocol;

/** It is asked to abandon a pass after its group has, so that no vote begins any more. */
export class Expert extends StateHolder implements Actor<Messages> {
  constructor(core: ExpertCore, scope: ActorScope) {
    const ref: ActorScope['ref'] = (protocol, address) => scope.ref(protocol, address);
    // The group speaks for its experts, so it must know which parameters they have reached.
    const setParamsVersion = (version: number | null): void => {
      if (version !== null) core.reach(version);
    };
    super(new Shareholding(core.share, { address: scope.address, ref, setParamsVersion }));
    core.holdBy(this.share);
  }
}
