/**
 * Handing out gives every system of a run the state of its holders, a message's worth at a time, from whatever has tensors by
 * name: the run's own checkpoint, or the model that it begins with.
 */
import type { TensorParts } from '../checkpoints/index.ts';
import type { ActorSystem } from '../runtime/index.ts';
import type { Holding } from '../actors/parameters/holding.ts';
import type { RuleChoice } from '../actors/parameters/rules.ts';
import { agentAddress } from '../actors/placement/addresses.ts';
import type { SystemHolders } from '../actors/placement/system_holders.ts';
import { agentProtocol } from '../actors/protocol/agent.ts';
import { StateMessages } from './state_messages.ts';

/** How long one message's worth of state may take, in ms. */
export const patienceMs = 15 * 60_000;

export interface HandedOut {
  /** The tensors of these names in this order, each when it is asked for, a part at a time. */
  readonly parts: (names: readonly string[]) => AsyncGenerator<TensorParts, void, void>;
  /** Which tensors a holding gets, the parameter first; where its moments are not among them, they are 0. */
  readonly namesOf: (holding: Holding, optimizer: RuleChoice) => readonly string[];
  /** Data steps that the state has seen. */
  readonly dataStep: number;
}

/** Resolves once all holders have their tensors. What `parts` throws passes. */
export async function handOut(
  system: Pick<ActorSystem, 'ref'>,
  holders: readonly SystemHolders[],
  { parts: partsOf, namesOf, dataStep }: HandedOut,
): Promise<void> {
  for (const each of holders) {
    const agent = system.ref(agentProtocol, agentAddress(each.system));
    // Sharers of one system hold the same.
    const all = each.holders.flatMap(({ share }) => share.holdings);
    const holdings = new Map(all.map((holding) => [holding.parameter.name, holding])).values();
    const { optimizer } = each.holders[0].share;
    const names = [...holdings].flatMap((holding) => namesOf(holding, optimizer));
    const messages = new StateMessages((parts) => agent.ask.restore({ parts, dataStep }, { timeoutMs: patienceMs }));
    for await (const tensor of partsOf(names)) await messages.add(tensor);
    await messages.flush();
  }
}
