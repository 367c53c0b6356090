/**
 * A path that a user gives for a model may be a checkpoint, a folder of checkpoints or a run directory: the newest checkpoint
 * there that is whole is meant.
 */
import { existsSync, statSync, type Stats } from 'node:fs';
import { join, resolve } from 'node:path';
import {
  CheckpointIo,
  CheckpointStore,
  NoCheckpoint,
  openCheckpoint,
  readManifest,
  type Checkpoint,
} from '../checkpoints/index.ts';

/**
 * Opens the checkpoint and verifies all of it; `notice` hears in one line of newer ones that are passed over. Throws
 * `NoCheckpoint`, `DamagedCheckpoint`, `CheckpointIo`.
 */
export async function findCheckpoint(path: string, notice: (text: string) => void): Promise<Checkpoint> {
  const place = placeOf(path);
  if (typeof place === 'string') return await openCheckpoint(place);
  if ((await place.list()).length === 0) throw new NoCheckpoint(place.dir, 'it holds none', 2);
  const { checkpoint, refused } = await place.openNewestValid();
  if (refused.length > 0) notice(passedOver(refused, checkpoint));
  return checkpoint;
}

/** Its manifest alone, and its folder: cheap, whatever its size. Throws as `findCheckpoint` does. */
export async function findManifest(path: string): Promise<Pick<Checkpoint, 'path' | 'manifest'>> {
  const place = placeOf(path);
  if (typeof place === 'string') return { path: place, manifest: await readManifest(place) };
  const found = await place.newestManifest();
  if (found === null) throw new NoCheckpoint(place.dir, 'it holds none', 2);
  return found;
}

/** A checkpoint's folder, or the store that holds some. */
function placeOf(path: string): string | CheckpointStore {
  const stats = statsOf(path);
  if (stats === undefined) throw new NoCheckpoint(resolve(path), 'there is no such folder', 2);
  if (!stats.isDirectory()) throw new NoCheckpoint(resolve(path), 'it is no folder', 2);
  if (existsSync(join(path, 'manifest.json'))) return resolve(path);
  const inRun = join(path, 'checkpoints');
  return new CheckpointStore(resolve(existsSync(inRun) ? inRun : path));
}

function statsOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch (cause) {
    throw new CheckpointIo(resolve(path), cause);
  }
}

/** Says which checkpoints are newer, and why none of them is used. */
function passedOver(refused: readonly Error[], { path }: Checkpoint): string {
  return `${refused.map(({ message }) => message).join(' | ')}; using ${path} instead`;
}
