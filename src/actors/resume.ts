/**
 * Going on from a checkpoint: is it this run's, and every role's share of it. A role asks for its tensors by name, so a
 * run may be placed otherwise than the one that wrote them.
 */
import { float32Of, readTensors, type Checkpoint, type Json } from '../checkpoints/index.ts';
import type { ActorSystem } from '../runtime/index.ts';
import { toPlain } from '../topology/index.ts';
import type { Blueprint } from './blueprint.ts';
import { batchesOf, type Member } from './cast.ts';
import { storedNames } from './parameter_set.ts';
import { payload } from './protocol/pass.ts';
import { expertProtocol } from './protocol/expert.ts';

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

/** What must be the same from one end of a run to the other. `training.steps` may grow. */
export function identityOf({ topology, sublayersDigest }: Blueprint): Json {
  const { model: keys, moe, parallelism, optimizer, training } = toPlain(topology);
  // Where the module of sublayers lies may change, not what it is; no module has no key.
  const model = { ...keys, sublayers: sublayersDigest ?? undefined };
  const { global_batch_size, sequence_length, seed } = training ?? {};
  // In fp32 it has no key either: a checkpoint from before there was a choice is of such a run.
  const { precision } = topology.training;
  const low = precision === 'fp32' ? {} : { precision };
  const scaled = precision === 'fp16' ? { loss_scale: training?.loss_scale } : {};
  const batch = { global_batch_size, sequence_length, seed, ...low, ...scaled };
  const identity = { model, moe, parallelism, optimizer, training: batch };
  return JSON.parse(JSON.stringify(identity)) as Json;
}

/** Throws `ResumeRefused` when the model's module of sublayers is not the one that the checkpoint was made with. */
export function checkSublayers({ path, manifest }: Checkpoint, { sublayersDigest }: Blueprint): void {
  const model = isObject(manifest.model) ? manifest.model.model : undefined;
  const was = isObject(model) ? (model.sublayers ?? null) : null;
  if (was === sublayersDigest) return;
  throw new ResumeRefused(path, 'the module at model.sublayers has changed since; restore it as it was', 2);
}

/** Throws `ResumeRefused` when the checkpoint is not of the run that the topology describes. */
export function checkIdentity(checkpoint: Checkpoint, blueprint: Blueprint): void {
  const difference = firstDifference('', checkpoint.manifest.model, identityOf(blueprint));
  if (difference === null) return;
  const { key, was, is } = difference;
  throw new ResumeRefused(
    checkpoint.path,
    `${key} was ${was} and is ${is} now; resume with what the run began with`,
    2,
  );
}

/** Hands every holder its parameters and moments. Throws `BadTensor` when the checkpoint lacks one. */
export async function restore(system: ActorSystem, checkpoint: Checkpoint, holders: readonly Member[]): Promise<void> {
  for (const { address, parameters } of holders) {
    // `restore` is the same message for every role that holds parameters.
    const holder = system.ref(expertProtocol, address);
    for (const batch of batchesOf(parameters)) {
      const tensors: Record<string, ReturnType<typeof payload>> = {};
      for await (const tensor of readTensors(checkpoint, batch.flatMap(storedNames))) {
        tensors[tensor.name] = payload(float32Of(tensor), tensor.shape);
      }
      await holder.ask.restore({ tensors, dataStep: checkpoint.manifest.step }, { timeoutMs: 60_000 });
    }
  }
}

function firstDifference(
  key: string,
  was: Json | undefined,
  is: Json | undefined,
): { key: string; was: string; is: string } | null {
  if (isObject(was) && isObject(is)) {
    for (const name of [...new Set([...Object.keys(was), ...Object.keys(is)])]) {
      const found = firstDifference(key === '' ? name : `${key}.${name}`, was[name], is[name]);
      if (found !== null) return found;
    }
    return null;
  }
  const [before, after] = [JSON.stringify(was) ?? 'absent', JSON.stringify(is) ?? 'absent'];
  return before === after ? null : { key, was: before, is: after };
}

const isObject = (value: Json | undefined): value is Record<string, Json> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
