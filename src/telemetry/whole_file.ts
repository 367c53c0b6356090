/**
 * A file that is there with its whole content or not at all, and that is made by one process only: it is written under
 * another name and linked to its own, which fails where there is one. Some file systems have no links (FAT, some of
 * network and sandbox): there it is empty for the moment between making and writing.
 */
import { closeSync, linkSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { codeOf } from '../system_error.ts';

export interface Made {
  readonly isMade: boolean;
  /** Nobody can see one of this folder half written. */
  readonly isWhole: boolean;
}

/** Makes it, by way of the file `scratch`, which is gone afterwards. Throws what the file system says, but for EEXIST. */
export function makeWhole(path: string, scratch: string, text: string, link = linkSync): Made {
  try {
    writeFileSync(scratch, text, { flag: 'wx' });
    return linked(scratch, path, link) ?? { isMade: makeInSteps(path, text), isWhole: false };
  } finally {
    rmSync(scratch, { force: true });
  }
}

/** Null where the file system has no links. */
function linked(scratch: string, path: string, link: typeof linkSync): Made | null {
  try {
    link(scratch, path);
    return { isMade: true, isWhole: true };
  } catch (error) {
    const code = codeOf(error);
    // Without the scratch file, another process has tidied up meanwhile.
    if (code === 'EEXIST' || code === 'ENOENT') return { isMade: false, isWhole: true };
    if (noLinks.has(code)) return null;
    throw error;
  }
}

const noLinks: ReadonlySet<string> = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS']);

function makeInSteps(path: string, text: string): boolean {
  const file = opened(path);
  if (file === null) return false;
  try {
    writeFileSync(file, text);
    return true;
  } catch (error) {
    // The disk is full, and the file is empty.
    rmSync(path, { force: true });
    throw error;
  } finally {
    closeSync(file);
  }
}

/** A new file, open; null where there is one. */
function opened(path: string): number | null {
  try {
    return openSync(path, 'wx');
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return null;
    throw error;
  }
}
