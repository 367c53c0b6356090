/**
 * An orphan is a nats-server that a launch has left behind, since launcher and guardian were killed at one moment. The
 * guardian writes down which process serves a store; the next launch of that run directory reads it, and ends that
 * process if it still is what the record says. A folder may be copied: so the record has to name the store in the place
 * where it lies.
 */

import { existsSync, lstatSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { CONFIG_FILE, WORK_DIR_PREFIX } from './nats_guardian_port.ts';
import { endServer } from './nats_server_process.ts';

const recordSchema = z.strictObject({
  pid: z.int().positive(),
  config: z.string(),
  storeDir: z.string(),
});
export type ServerRecord = z.infer<typeof recordSchema>;

/** Where the record of a store is. */
export const recordFileOf = (storeDir: string): string => path.join(storeDir, 'server.json');

/**
 * Ends what is left of the server of `storeDir`: the process, and the folder with its token. Returns the process id if
 * there was one. The caller owns the store: no launch that lives uses it. Throws `OrphanLives` where the process has not
 * ended after `endMs`; then all is kept.
 */
export async function endOrphan(storeDir: string, endMs?: number): Promise<number | null> {
  const record = readRecord(storeDir);
  if (record === null) return null;
  const wasThere = await endServer(record, endMs);
  const folder = path.dirname(record.config);
  if (isWorkDir(folder)) rmSync(folder, { recursive: true, force: true });
  rmSync(recordFileOf(storeDir), { force: true });
  return wasThere ? record.pid : null;
}

/**
 * The record of a store; null where there is none, or one that is not of this store: what is not understood is left
 * alone.
 */
function readRecord(storeDir: string): ServerRecord | null {
  const file = recordFileOf(storeDir);
  if (!existsSync(file)) return null;
  const { data } = recordSchema.safeParse(parseJson(readFileSync(file, 'utf8')));
  if (data === undefined || data.storeDir !== path.resolve(storeDir)) return null;
  const folder = path.basename(path.dirname(data.config));
  return WORK_DIR.test(folder) && path.basename(data.config) === CONFIG_FILE ? data : null;
}

const WORK_DIR = new RegExp(`^${WORK_DIR_PREFIX}\\w{6}$`);

/** Whether a folder can be what a guardian was given, and not what somebody else's record would have removed. */
function isWorkDir(folder: string): boolean {
  const found = lstatSync(folder, { throwIfNoEntry: false });
  const user = process.getuid?.();
  if (found?.isDirectory() !== true || (user !== undefined && found.uid !== user)) return false;
  return existsSync(path.join(folder, CONFIG_FILE));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
