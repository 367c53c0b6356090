/**
 * A resume gives every role its share of a checkpoint. A role asks for its tensors by name, so a run may be placed
 * otherwise than the one that wrote them; what all of them hold at the end must have the checkpoint's digest.
 */
import { z } from 'zod';
import { DamagedCheckpoint, float32Of, readTensors, type Checkpoint } from '../checkpoints/index.ts';
import type { ActorSystem, TensorPayload } from '../runtime/index.ts';
import { agentAddress } from '../actors/placement/addresses.ts';
import type { SystemHolders } from '../actors/placement/system_holders.ts';
import { batchesOf } from '../actors/parameters/message_batches.ts';
import { storedNames } from '../actors/parameters/rules.ts';
import { paramsDigest } from '../actors/parameters/params_digest.ts';
import { payload } from '../actors/protocol/pass.ts';
import { agentProtocol } from '../actors/protocol/agent.ts';

/** The checkpoint was made by another run, or on what gives other bits. */
export class ResumeRefused extends Error {
  readonly tag = 'ResumeRefused';
  readonly exitCode: 1 | 2;
  constructor(path: string, what: string, exitCode: 1 | 2 = 1) {
    super(`checkpoint ${path}: ${what}`);
    this.name = 'ResumeRefused';
    this.exitCode = exitCode;
  }
}

/** What a checkpoint says of the parameters in it; one by somebody else may say nothing. */
const extraSchema = z.looseObject({ params_digest: z.string() });

const patienceMs = 15 * 60_000;

/**
 * Hands every system the parameters and moments of its holders, a few at a time. Throws `BadTensor` when the checkpoint lacks
 * one, `DamagedCheckpoint` when the parameters are not those that it was made of.
 */
export async function restore(
  system: ActorSystem,
  checkpoint: Checkpoint,
  holders: readonly SystemHolders[],
): Promise<void> {
  const { path, manifest } = checkpoint;
  for (const each of holders) {
    const agent = system.ref(agentProtocol, agentAddress(each.system));
    // Sharers of one system hold the same.
    const all = each.holders.flatMap(({ share }) => share.holdings);
    const holdings = [...new Map(all.map((holding) => [holding.parameter.name, holding])).values()];
    const { optimizer } = each.holders[0].share;
    const batches = batchesOf(holdings).map((batch) => batch.flatMap((holding) => storedNames(holding, optimizer)));
    const stored = readTensors(checkpoint, batches.flat());
    for (const { length } of batches) {
      const tensors: Record<string, TensorPayload> = {};
      for (let taken = 0; taken < length; taken++) {
        const { value: tensor } = await stored.next();
        if (tensor) tensors[tensor.name] = payload(float32Of(tensor), tensor.shape);
      }
      await agent.ask.restore({ tensors, dataStep: manifest.step }, { timeoutMs: patienceMs });
    }
    await stored.return();
  }
  const said = extraSchema.safeParse(manifest.extra);
  if (!said.success || said.data.params_digest === (await paramsDigest(system, holders, patienceMs))) return;
  const what = 'its parameters are not those that its params_digest is of';
  throw new DamagedCheckpoint(path, what, 'remove that checkpoint to use the one before it');
}
