/**
 * A resume gives every role its share of a checkpoint. A role asks for its tensors by name, so a run may be placed
 * otherwise than the one that wrote them; what all of them hold at the end must have the checkpoint's digest.
 */
import { z } from 'zod';
import { DamagedCheckpoint, readTensorParts, type Checkpoint, type Manifest } from '../checkpoints/index.ts';
import type { ActorSystem } from '../runtime/index.ts';
import type { SystemHolders } from '../actors/placement/system_holders.ts';
import type { Holding } from '../actors/parameters/holding.ts';
import { storedNames, type RuleChoice } from '../actors/parameters/rules.ts';
import { paramsDigest } from '../actors/parameters/params_digest.ts';
import { handOut, patienceMs } from './hand_out.ts';

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

const extraSchema = z.looseObject({ params_digest: z.string() });

/** What a checkpoint says of the parameters in it; null where it says nothing, as one by somebody else may. */
export function digestIn({ extra }: Pick<Manifest, 'extra'>): string | null {
  const said = extraSchema.safeParse(extra);
  return said.success ? said.data.params_digest : null;
}

/**
 * Hands every system the parameters and moments of its holders, a few at a time. Before the first update moments are 0, and a checkpoint
 * may be without them, as one that was imported is. Throws `BadTensor` when the checkpoint lacks
 * one, `DamagedCheckpoint` when the parameters are not those that it was made of.
 */
export async function restore(
  system: ActorSystem,
  checkpoint: Checkpoint,
  holders: readonly SystemHolders[],
): Promise<void> {
  const { path, manifest } = checkpoint;
  const parts = (names: readonly string[]) => readTensorParts(checkpoint, names);
  const isThere = (name: string): boolean => manifest.updateStep > 0 || checkpoint.fileOf.has(name);
  const namesOf = (holding: Holding, optimizer: RuleChoice): string[] => {
    const [parameter, ...states] = storedNames(holding, optimizer);
    return [parameter, ...states.filter(isThere)];
  };
  await handOut(system, holders, { parts, namesOf, dataStep: manifest.step });
  const digest = digestIn(manifest);
  if (digest === null || digest === (await paramsDigest(system, holders, patienceMs))) return;
  const what = 'its parameters are not those that its params_digest is of';
  throw new DamagedCheckpoint(path, what, 'remove that checkpoint to use the one before it');
}
