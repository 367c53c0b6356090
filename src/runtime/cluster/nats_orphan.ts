/**
 * The nats-server that a launch has left behind, since launcher and guardian were killed at one moment. The guardian writes
 * down which process serves a store; the next launch of that run directory reads it, and ends that process if it still is
 * what the record says. A process id is given again and a folder may be copied: so its command line has to end with the
 * config file of that start, whose name is random, and the record has to name the store in the place where it lies.
 */

import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';
import { CONFIG_FILE, WORK_DIR_PREFIX } from './nats_guardian_port.ts';

const recordSchema = z.strictObject({
  pid: z.int().positive(),
  config: z.string(),
  storeDir: z.string(),
});
export type ServerRecord = z.infer<typeof recordSchema>;

/** Where the record of a store is. */
export const recordFileOf = (storeDir: string): string => path.join(storeDir, 'server.json');

const POLL_MS = 10;
const MOST_POLLS = 500;

/**
 * Ends what is left of the server of `storeDir`: the process, and the folder with its token. Returns the process id if
 * there was one. The caller owns the store: no launch that lives uses it.
 */
export async function endOrphan(storeDir: string): Promise<number | null> {
  const record = readRecord(storeDir);
  if (record === null) return null;
  const { pid, config } = record;
  const isAlive = (): boolean => isServing(commandOf(pid), config);
  const wasAlive = isAlive();
  if (wasAlive) process.kill(pid, 'SIGKILL');
  for (let polls = 0; polls < MOST_POLLS && isAlive(); polls += 1) await pause(POLL_MS);
  rmSync(path.dirname(config), { recursive: true, force: true });
  rmSync(recordFileOf(storeDir), { force: true });
  return wasAlive ? pid : null;
}

/** Whether a command line is that of the server with this config. */
export const isServing = (command: string | null, config: string): boolean =>
  command?.trimEnd().endsWith(`-c ${config}`) ?? false;

/** Null where there is none, or one that is not of this store: what is not understood is left alone. */
function readRecord(storeDir: string): ServerRecord | null {
  const file = recordFileOf(storeDir);
  if (!existsSync(file)) return null;
  const { data } = recordSchema.safeParse(parseJson(readFileSync(file, 'utf8')));
  if (data === undefined || data.storeDir !== path.resolve(storeDir)) return null;
  const folder = path.basename(path.dirname(data.config));
  const isOurs = folder.startsWith(WORK_DIR_PREFIX) && path.basename(data.config) === CONFIG_FILE;
  return isOurs ? data : null;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** The command line of a process; null if there is no such process, or nobody tells. */
function commandOf(pid: number): string | null {
  try {
    if (process.platform === 'linux') return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
    return execFileSync('ps', ['-o', 'args=', '-p', String(pid)], { encoding: 'utf8' });
  } catch {
    return null;
  }
}
