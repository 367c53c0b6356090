/**
 * Files of the cache that are whole or not there: written under a temporary name, synced, renamed. The temporary name says
 * which process writes it, so that the next packing removes what a killed one has left, and nothing of one under way.
 */
import { readdirSync, rmSync, statSync } from 'node:fs';
import { open, rename, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { randomUUID } from 'node:crypto';
import { presenceOf, thisProcess, type ProcessIdentity } from '../process_identity.ts';

const PARTIAL = '.partial';
const DAY_MS = 86_400_000;

/** Writes a file; what fails leaves nothing behind. Throws what `fill` and the file system do. */
export async function writeCacheFile(
  folder: string,
  name: string,
  fill: (write: (bytes: Uint8Array) => Promise<void>) => Promise<void>,
): Promise<void> {
  const temporary = join(folder, partialName(name, thisProcess()));
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

/** One whose owner cannot be seen from here, or did not say who it is, only once nobody has touched it for a day. */
function isLeft(name: string, path: string): boolean {
  const owner = ownerOf(name);
  const presence = owner === null ? 'hidden' : presenceOf(owner);
  if (presence === 'alive' || presence === 'gone') return presence === 'gone';
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat !== undefined && Date.now() - stat.mtimeMs > DAY_MS;
}

/**
 * A file's temporary name: `<end of its name>.<pid>,<start>,<boot>,<host>,<namespace>.<uuid>.partial`, with nothing where the
 * system does not tell. 255 bytes are enough for it.
 */
export function partialName(name: string, { pid, started, boot, host, pidSpace }: ProcessIdentity): string {
  const owner = [String(pid), started, boot, host, pidSpace].map((field) => encodeURIComponent(field ?? ''));
  return `${name.slice(-32)}.${owner.join(',')}.${randomUUID()}${PARTIAL}`;
}

/** Null where the name does not say. */
function ownerOf(partial: string): ProcessIdentity | null {
  const match = /\.(\d+),([^,]*),([^,]*),([^,]+),([^,]*)\.[0-9a-f-]{36}\.partial$/.exec(partial);
  if (match === null) return null;
  const [started, boot, host, pidSpace] = match.slice(2).map((field) => decodeURIComponent(field));
  return { pid: Number(match[1]), started: started || null, boot: boot || null, host, pidSpace: pidSpace || null };
}

function entriesOf(folder: string): readonly string[] {
  return statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true ? readdirSync(folder) : [];
}
