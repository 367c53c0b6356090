/** Processes that carry a mark in their environment: what a command has started, directly or not, and that lives. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** Pids of the processes that have this entry (`NAME=value`). Linux only. */
export function markedProcesses(entry: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && isMarked(name, entry))
    .map(Number);
}

function isMarked(pid: string, entry: string): boolean {
  try {
    // One that has ended and waits to be reaped has no program any more.
    readlinkSync(`/proc/${pid}/exe`);
    return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes(entry);
  } catch {
    return false;
  }
}
