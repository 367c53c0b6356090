/**
 * A new folder is there with all that belongs into it, or not at all: it is filled under another name beside its place, and renamed
 * at the end. Nothing that is there already is ever written over.
 */
import { lstatSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { CheckpointIo } from '../checkpoints/index.ts';
import { systemCodeOf } from '../system_error.ts';

/** There is something in the place of a folder that was to be made. */
export class TargetExists extends Error {
  readonly tag = 'TargetExists';
  readonly exitCode = 2;
  constructor(path: string) {
    super(`${path}: is there already, and nothing is written over; name a new folder, or remove it`);
    this.name = 'TargetExists';
  }
}

/** Throws `TargetExists` unless there is nothing at `path`, or an empty folder. */
export function checkNew(path: string): void {
  try {
    if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return;
    if (readdirSync(path).length === 0) return;
  } catch (cause) {
    if (systemCodeOf(cause) !== 'ENOTDIR') throw new CheckpointIo(path, cause);
  }
  throw new TargetExists(path);
}

/**
 * Makes the folder `path`, and those above it; `fill` gets the folder to write to. Throws `TargetExists`, `CheckpointIo`, what
 * `fill` throws, and the reason of a signal that is aborted by then; then nothing is left.
 */
export async function makeNewFolder(
  path: string,
  fill: (folder: string) => Promise<void>,
  signal?: AbortSignal,
): Promise<void> {
  checkNew(path);
  const made: string[] = [];
  try {
    makeAbove(resolve(path), made);
    const folder = mkdtempSync(`${resolve(path)}.partial-`);
    made.push(folder);
    await fill(folder);
    signal?.throwIfAborted();
    renameSync(folder, path);
  } catch (cause) {
    // The outermost first: it has the others in it.
    for (const each of made) rmSync(each, { recursive: true, force: true });
    if (systemCodeOf(cause) === null || (cause instanceof Error && 'tag' in cause)) throw cause;
    if (['EEXIST', 'ENOTEMPTY'].includes(systemCodeOf(cause) ?? '')) throw new TargetExists(path);
    throw new CheckpointIo(path, cause);
  }
}

/** Makes the folders above a path that are not there, one by one, and notes them. */
function makeAbove(path: string, made: string[]): void {
  const above = dirname(path);
  if (lstatSync(above, { throwIfNoEntry: false }) !== undefined || basename(above) === '') return;
  makeAbove(above, made);
  mkdirSync(above);
  made.push(above);
}
