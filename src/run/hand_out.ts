/**
 * Handing out gives every system of a run the state of its holders, a few parameters at a time, from whatever has tensors by
 * name: the run's own checkpoint, or the model that it begins with.
 */
import { float32In, type TensorBytes } from '../checkpoints/index.ts';
import { release } from '../kernels/dtype.ts';
import type { ActorSystem, TensorPayload } from '../runtime/index.ts';
import type { Holding } from '../actors/parameters/holding.ts';
import { batchesOf } from '../actors/parameters/message_batches.ts';
import type { RuleChoice } from '../actors/parameters/rules.ts';
import { agentAddress } from '../actors/placement/addresses.ts';
import type { SystemHolders } from '../actors/placement/system_holders.ts';
import { agentProtocol } from '../actors/protocol/agent.ts';
import { dataOf, payload } from '../actors/protocol/pass.ts';

/** How long one message's worth of state may take, in ms. */
export const patienceMs = 15 * 60_000;

export interface HandedOut {
  /** The tensors of these names in this order, each when it is asked for. */
  readonly read: (names: readonly string[]) => AsyncGenerator<TensorBytes, void, void>;
  /** Which tensors a holding gets; where its moments are not among them, they are 0. */
  readonly namesOf: (holding: Holding, optimizer: RuleChoice) => readonly string[];
  /** Data steps that the state has seen. */
  readonly dataStep: number;
}

/** Resolves once all holders have their tensors. What `read` throws passes. */
export async function handOut(
  system: Pick<ActorSystem, 'ref'>,
  holders: readonly SystemHolders[],
  { read, namesOf, dataStep }: HandedOut,
): Promise<void> {
  for (const each of holders) {
    const agent = system.ref(agentProtocol, agentAddress(each.system));
    // Sharers of one system hold the same.
    const all = each.holders.flatMap(({ share }) => share.holdings);
    const holdings = [...new Map(all.map((holding) => [holding.parameter.name, holding])).values()];
    const { optimizer } = each.holders[0].share;
    const batches = batchesOf(holdings).map((batch) => batch.flatMap((holding) => namesOf(holding, optimizer)));
    const stored = read(batches.flat());
    for (const { length } of batches) {
      const tensors: Record<string, TensorPayload> = {};
      for (let taken = 0; taken < length; taken++) {
        const { value: tensor } = await stored.next();
        if (tensor) tensors[tensor.name] = payload(float32In(tensor), tensor.shape);
      }
      await agent.ask.restore({ tensors, dataStep }, { timeoutMs: patienceMs });
      // Its holders have copied them by now.
      for (const tensor of Object.values(tensors)) release(dataOf(tensor));
    }
    await stored.return();
  }
}
