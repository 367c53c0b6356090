/** A folder that may not be there yet: what its file system allows, asked of the nearest one above it that is. */
import { accessSync, constants, existsSync, statfsSync } from 'node:fs';
import path from 'node:path';

export interface FolderFacts {
  /** The folder that was asked for. */
  readonly path: string;
  readonly isWritable: boolean;
  /** For this user; null where the file system does not say. */
  readonly freeBytes: number | null;
}

export function lookAt(folder: string): FolderFacts {
  let existing = path.resolve(folder);
  while (!existsSync(existing) && path.dirname(existing) !== existing) existing = path.dirname(existing);
  return { path: path.resolve(folder), isWritable: isWritable(existing), freeBytes: freeBytesOf(existing) };
}

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function freeBytesOf(folder: string): number | null {
  try {
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize;
  } catch {
    return null;
  }
}
