/**
 * Files of the cache that are whole or not there: written under a temporary name, synced, renamed. The temporary name says
 * which process writes it, so that the next packing removes what a killed one has left, and nothing of one under way.
 */
import { readdirSync, rmSync, statSync } from 'node:fs';
import { open, rename, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { createHash, randomUUID } from 'node:crypto';
import { presenceOf, thisProcess, type ProcessIdentity } from '../process_identity.ts';

const PARTIAL = '.partial';
const DAY_MS = 86_400_000;

/**
 * Bytes after which a file under way is synced beside the writing, so that the last sync, in which no Ctrl-C is heard, is
 * short for a file of any size.
 */
const SYNC_BYTES = 32 * 2 ** 20;

/**
 * Writes a file; what fails leaves nothing behind. Returns what `fill` does, and the file's sha256. Throws what `fill` and
 * the file system do.
 */
export async function writeCacheFile<T>(
  folder: string,
  name: string,
  fill: (write: (bytes: Uint8Array) => Promise<void>) => Promise<T>,
): Promise<{ readonly result: T; readonly sha256: string }> {
  const temporary = join(folder, partialName(name, thisProcess()));
  const file = await open(temporary, 'wx');
  const sha256 = createHash('sha256');
  let unsynced = 0;
  let syncing = Promise.resolve();
  let result: T;
  try {
    try {
      result = await fill(async (bytes) => {
        sha256.update(bytes);
        await writeAll(file, bytes);
        unsynced += bytes.length;
        if (unsynced < SYNC_BYTES) return;
        await syncing;
        syncing = file.datasync();
        // Whoever awaits it hears of its failure.
        syncing.catch(() => undefined);
        unsynced = 0;
      });
      await syncing;
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, join(folder, name));
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  return { result, sha256: sha256.digest('hex') };
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
