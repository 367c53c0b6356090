/**
 * Taking up a run that ended before its last step needs three things: the newest of its checkpoints that is whole, the
 * certainty that it is of the run that the topology describes, and its state in the roles.
 */
import { join } from 'node:path';
import { CheckpointStore, type Checkpoint, type NewestValid } from '../checkpoints/index.ts';
import type { Topology } from '../topology/index.ts';
import type { RunSpec } from '../actors/placement/run_spec.ts';
import { checkIdentity, isImported } from './identity.ts';
import { ResumeRefused, restore } from './resume.ts';
import type { TrainOptions } from './run_port.ts';
import type { Run } from './run.ts';

/**
 * The newest checkpoint that is whole, and what was passed over for it, which `observe` hears of. Throws `NoCheckpoint`,
 * and `ResumeRefused` where it is of another run, or of more steps than the topology asks for.
 */
export async function newestOf(
  store: CheckpointStore,
  now: Pick<RunSpec, 'topology' | 'sublayersDigest'>,
  observe: TrainOptions['observe'],
): Promise<NewestValid> {
  const notice = (text: string): void => observe({ kind: 'notice', text });
  for (const name of await store.strangers()) {
    notice(`${store.dir}/${name}: not the name of a checkpoint; it is left as it is`);
  }
  const newest = await store.openNewestValid();
  const { checkpoint, refused } = newest;
  for (const error of refused) notice(error.message);
  checkIdentity(checkpoint, now);
  const { step } = checkpoint.manifest;
  const { steps } = now.topology.training;
  const more = `to go on, give --steps more than ${step}`;
  if (step > steps) {
    throw new ResumeRefused(checkpoint.path, `step ${step} is done, and training.steps is ${steps}; ${more}`, 2);
  }
  if (step === steps) notice(`step ${step} is the last already; ${more}`);
  return newest;
}

/**
 * What a resume would refuse that can be known from the newest manifest that is whole, before anything is started and any
 * module is run. Throws `ResumeRefused`.
 */
export async function checkResume(now: Pick<RunSpec, 'topology' | 'sublayersDigest'>, runDir: string): Promise<void> {
  const found = await new CheckpointStore(join(runDir, 'checkpoints')).newestManifest();
  if (found !== null) checkIdentity(found, now);
}

/** Gives the roles their state back. Throws `ResumeRefused`, `BadTensor`, `DamagedCheckpoint`. */
export async function takeUp(
  { cluster, holders }: Pick<Run, 'cluster' | 'holders'>,
  found: Checkpoint,
  { recovery }: Topology,
): Promise<void> {
  const { numericsClass } = found.manifest;
  const isOurs = !isImported(found.manifest);
  if (isOurs && numericsClass !== cluster.numericsClass && !recovery.allow_class_change) {
    const what = `it was made on ${numericsClass}, this is ${cluster.numericsClass}, which rounds otherwise; set cluster.device to what it was, or recovery.allow_class_change=true`;
    throw new ResumeRefused(found.path, what);
  }
  await restore(cluster.system, found, holders);
}
