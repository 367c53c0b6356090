/**
 * The process of a nats-server is known by its id and by its command line, which has to end with the config file of
 * that start: the name of that is random, so a stranger who was given the same id later is never taken for it.
 */

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { OrphanLives } from './nats_server_errors.ts';
import { signalGroup } from './process_group.ts';

/** What a start is known by: the process, and the config file that it was given. */
export interface ServerProcess {
  readonly pid: number;
  readonly config: string;
}

const POLL_MS = 10;
const END_MS = 5_000;

/** Ends it by force, with all that it has started; false if it is not there. It may live for a moment yet. */
export function killServer(server: ServerProcess): boolean {
  if (!isThere(server)) return false;
  signalGroup(server.pid, 'SIGKILL');
  return true;
}

/** As `killServer`, and waits until it has ended. Throws `OrphanLives` if it has not after `endMs`. */
export async function endServer(server: ServerProcess, endMs = END_MS): Promise<boolean> {
  if (!killServer(server)) return false;
  for (let waitedMs = 0; isThere(server); waitedMs += POLL_MS) {
    if (waitedMs >= endMs) throw new OrphanLives(server.pid, server.config);
    await pause(POLL_MS);
  }
  return true;
}

/** Whether a command line is that of the server with this config. */
export const isServing = (command: string | null, config: string): boolean =>
  command?.trimEnd().endsWith(`-c ${config}`) ?? false;

const isThere = ({ pid, config }: ServerProcess): boolean => isServing(commandOf(pid), config);

/** The command line of a process; null if there is no such process, or nobody tells. */
function commandOf(pid: number): string | null {
  try {
    if (process.platform === 'linux') return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
    return execFileSync('ps', ['-o', 'args=', '-p', String(pid)], { encoding: 'utf8' });
  } catch {
    return null;
  }
}
