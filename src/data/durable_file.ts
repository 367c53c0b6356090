/**
 * Files of the cache that are whole or not there: written under a temporary name, synced, renamed. The temporary name says
 * which process writes it, so that the next packing removes what a killed one has left, and nothing of one under way.
 */
import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { open, rename, rm, type FileHandle } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { randomUUID } from 'node:crypto';
import { codeOf } from '../system_error.ts';

const PARTIAL = '.partial';
const DAY_MS = 86_400_000;

/** Writes a file; what fails leaves nothing behind. Throws what `fill` and the file system do. */
export async function writeDurably(
  folder: string,
  name: string,
  fill: (write: (bytes: Uint8Array) => Promise<void>) => Promise<void>,
): Promise<void> {
  const temporary = join(folder, `${name}.${owner()}.${randomUUID()}${PARTIAL}`);
  const file = await open(temporary, 'wx');
  try {
    try {
      await fill((bytes) => writeAll(file, bytes));
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, join(folder, name));
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += (await file.write(bytes, at)).bytesWritten;
}

/** Removes from the folders of a cache what processes have left there that are gone. */
export function removeLeftovers(cacheDir: string): void {
  for (const folder of entriesOf(cacheDir)) {
    for (const name of entriesOf(join(cacheDir, folder))) {
      const path = join(cacheDir, folder, name);
      if (name.endsWith(PARTIAL) && isLeft(name, path)) rmSync(path, { force: true });
    }
  }
}

/** Of another machine, or of a version that did not say whose it is, only what nobody has touched for a day. */
function isLeft(name: string, path: string): boolean {
  const match = /\.(\d+)-(\d+)-([0-9a-z_]+)\.[0-9a-f-]{36}\.partial$/.exec(name);
  if (match !== null && match[3] === host()) return startOf(Number(match[1])) !== match[2];
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat !== undefined && Date.now() - stat.mtimeMs > DAY_MS;
}

/** `<process>-<its start>-<machine>`. */
const owner = (): string => `${process.pid}-${startOf(process.pid) ?? 0}-${host()}`;

const host = (): string =>
  hostname()
    .toLowerCase()
    .replaceAll(/[^0-9a-z]/g, '_');

/**
 * When a process started, in ticks since the machine did: another one that has got its number has another start. `0` for
 * one that lives where the system does not say; null for one that is gone.
 */
function startOf(pid: number): string | null {
  try {
    // Behind the name, which is in parentheses and may hold anything, it is the 20th field.
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return isAlive(pid) ? '0' : null;
  }
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

function entriesOf(folder: string): readonly string[] {
  return statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true ? readdirSync(folder) : [];
}
