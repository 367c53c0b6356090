/**
 * The identity of a run is those keys of its topology that decide its numbers, and the module that it computes with.
 * Two topologies are compared as today's schema reads them: a key that came after a checkpoint has its default in it.
 */
import type { Checkpoint, Json, Manifest } from '../checkpoints/index.ts';
import { toPlain, topologySchema, type Topology } from '../topology/index.ts';
import type { RunSpec } from '../actors/placement/run_spec.ts';
import { ResumeRefused } from './resume.ts';

type Plain = ReturnType<typeof toPlain>;
type Identified = Pick<RunSpec, 'topology' | 'sublayersDigest'>;

/**
 * What must be the same from one end of a run to the other. `training.steps` may grow; of the mesh only the number of
 * global microbatches counts, since tensors are read by name.
 */
export function identityOf({ topology, sublayersDigest }: Identified): Record<string, Json> {
  const { model: keys, moe, optimizer, objective } = toPlain(topology);
  // Where the module of sublayers lies may change, not what it is.
  const model = { ...keys, sublayers: sublayersDigest };
  const { data_parallel, micro_batches } = topology.parallelism;
  const parallelism = { 'data_parallel x micro_batches': data_parallel * micro_batches };
  const { global_batch_size, sequence_length, seed, precision, loss_scale } = topology.training;
  const scaled = precision === 'fp16' ? { loss_scale } : {};
  const training = { global_batch_size, sequence_length, seed, precision, ...scaled };
  return JSON.parse(
    JSON.stringify({
      model,
      moe: moe === undefined ? moe : routingOf(moe),
      parallelism,
      optimizer,
      training,
      objective,
    }),
  ) as Record<string, Json>;
}

/** What is written down of routing may change, where a record lies that choices are taken from, and how much is under way at once. */
function routingOf(section: NonNullable<Plain['moe']>) {
  const { metrics: _1, record: _2, credit_bytes: _3, replay, ...moe } = section;
  return { ...moe, ...((replay ?? null) === null ? {} : { replay: 'a record' }) };
}

/** The topology that a checkpoint was made with; keys that came since have their defaults. Throws `ResumeRefused`. */
export function topologyOf({ path, manifest }: Pick<Checkpoint, 'path' | 'manifest'>): Topology {
  const parsed = topologySchema.safeParse(manifest.topology);
  if (parsed.success) return parsed.data;
  const [{ path: key, message }] = parsed.error.issues;
  const what = `its topology is not one this version reads (${[...key, message].join(': ')}); use the version that wrote it`;
  throw new ResumeRefused(path, what);
}

/** SHA-256 of the module of sublayers that a checkpoint was made with; null where it had none. */
export function sublayersDigestOf({ manifest }: Pick<Checkpoint, 'manifest'>): string | null {
  const model = isObject(manifest.model) ? manifest.model.model : undefined;
  const sublayers = isObject(model) ? model.sublayers : undefined;
  return typeof sublayers === 'string' ? sublayers : null;
}

/** Whether a checkpoint is of a model that came from elsewhere, as it came: no step has been done on it. */
export const isImported = ({ extra }: Pick<Manifest, 'extra'>): boolean => isObject(extra) && extra.imported === true;

/** Checks that a checkpoint is of the run that the topology describes. Throws `ResumeRefused`. */
export function checkIdentity(checkpoint: Pick<Checkpoint, 'path' | 'manifest'>, now: Identified): void {
  const before = { topology: topologyOf(checkpoint), sublayersDigest: sublayersDigestOf(checkpoint) };
  const difference = firstDifference('', identityOf(before), identityOf(now));
  if (difference !== null) refuseChange(checkpoint, difference);
}

/** A key of a topology that has changed, and its values as JSON. */
export interface KeyDifference {
  readonly key: string;
  readonly was: string;
  readonly is: string;
}

export const differing = (key: string, was: unknown, is: unknown): KeyDifference => ({
  key,
  was: JSON.stringify(was) ?? 'absent',
  is: JSON.stringify(is) ?? 'absent',
});

/** Throws the `ResumeRefused` of a key that has changed since the checkpoint. */
export function refuseChange({ path }: Pick<Checkpoint, 'path'>, { key, was, is }: KeyDifference): never {
  throw new ResumeRefused(path, `${key} was ${was} and is ${is} now; resume with what the run began with`, 2);
}

function firstDifference(key: string, was: Json | undefined, is: Json | undefined): KeyDifference | null {
  if (isObject(was) && isObject(is)) {
    for (const name of [...new Set([...Object.keys(was), ...Object.keys(is)])]) {
      const found = firstDifference(key === '' ? name : `${key}.${name}`, was[name], is[name]);
      if (found !== null) return found;
    }
    return null;
  }
  const difference = differing(key, was, is);
  return difference.was === difference.is ? null : difference;
}

const isObject = (value: Json | undefined): value is Record<string, Json> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
