/**
 * Who owns a run directory: a file with the owner's process id. It outlives a crash, so a lock counts only while its
 * process lives.
 */
import { closeSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { codeOf, diskRemedy } from '../system_error.ts';
import { RunDirectoryRefused } from './errors.ts';

/** Locks of this process. In a container every start may get the same id, so a file with our own id proves nothing. */
const held = new Set<string>();

export class RunLock {
  static readonly fileName = 'lock';
  readonly #path: string;

  private constructor(path: string) {
    this.#path = path;
  }

  /** Takes the lock of a directory. Throws RunDirectoryRefused: it names the process that has it, or why it cannot be had. */
  static take(directory: string): RunLock {
    try {
      return RunLock.#take(directory);
    } catch (error) {
      if (error instanceof RunDirectoryRefused) throw error;
      const code = codeOf(error);
      const reason = `its file ${RunLock.fileName} cannot be written (${code}); ${diskRemedy(code)}, or give another --run-dir`;
      throw new RunDirectoryRefused(directory, reason);
    }
  }

  static #take(directory: string): RunLock {
    const path = join(directory, RunLock.fileName);
    if (!tryCreate(path)) {
      const owner = ownerOf(path);
      if (owner !== null) throw new RunDirectoryRefused(directory, RunLock.inUse(owner));
      rmSync(path, { force: true });
      if (!tryCreate(path)) {
        throw new RunDirectoryRefused(directory, 'was taken by another process just now; give another --run-dir');
      }
    }
    held.add(path);
    return new RunLock(path);
  }

  /** Process id of whoever has the directory; null where nobody has, or where that cannot be read. */
  static holderOf(directory: string): number | null {
    try {
      return ownerOf(join(directory, RunLock.fileName));
    } catch {
      // `take` says what is in the way.
      return null;
    }
  }

  /** What a directory is refused with that a process has. */
  static inUse(owner: number): string {
    return `is in use by process ${owner}; wait for it, stop it, or give another --run-dir`;
  }

  release(): void {
    held.delete(this.#path);
    rmSync(this.#path, { force: true });
  }
}

function tryCreate(path: string): boolean {
  const file = created(path);
  if (file === null) return false;
  try {
    writeFileSync(file, `${process.pid}\n`);
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
function created(path: string): number | null {
  try {
    return openSync(path, 'wx');
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return null;
    throw error;
  }
}

/** Process id of a lock that counts; null where its process is gone. */
function ownerOf(path: string): number | null {
  const pid = Number(readFileSync(path, 'utf8'));
  if (!Number.isInteger(pid) || pid <= 0) return null;
  if (pid === process.pid) return held.has(path) ? pid : null;
  return isAlive(pid) ? pid : null;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Not permitted to signal it: it lives, and belongs to somebody else.
    return codeOf(error) === 'EPERM';
  }
}
