/** A process and all that it has started, as Linux shows them: memory, open files and threads of each. */
import { readdirSync, readFileSync } from 'node:fs';

export interface ProcessSample {
  readonly pid: number;
  readonly name: string;
  readonly residentMiB: number;
  readonly files: number;
  readonly threads: number;
}

/** Samples the tree below `root`, itself included, in the order of process ids. A process that has just ended is left out. */
export const sampleTree = (root: number): ProcessSample[] =>
  treeBelow(root).flatMap((pid) => {
    const sample = sampleOf(pid);
    return sample === null ? [] : [sample];
  });

/** MiB that the tree holds, a page that n processes share counted once, not n times (`Pss`). */
export const treeMiB = (root: number): number => treeBelow(root).reduce((sum, pid) => sum + proportionalMiB(pid), 0);

function treeBelow(root: number): number[] {
  const parents = new Map<number, number>();
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry);
    const parent = Number.isInteger(pid) ? statusOf(pid)?.get('PPid') : undefined;
    if (parent !== undefined) parents.set(pid, Number(parent));
  }
  const isBelow = (pid: number): boolean => pid === root || (parents.has(pid) && isBelow(parents.get(pid)!));
  return [...parents.keys()].filter(isBelow);
}

function proportionalMiB(pid: number): number {
  try {
    const [, kib] = /^Pss: *(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')) ?? [];
    return Number(kib ?? 0) / 1024;
  } catch {
    return 0;
  }
}

function sampleOf(pid: number): ProcessSample | null {
  const status = statusOf(pid);
  const resident = status?.get('VmRSS');
  if (status === null || resident === undefined) return null;
  try {
    return {
      pid,
      name: nameOf(pid),
      residentMiB: Number.parseInt(resident, 10) / 1024,
      files: readdirSync(`/proc/${pid}/fd`).length,
      threads: Number(status.get('Threads')),
    };
  } catch {
    return null;
  }
}

function statusOf(pid: number): Map<string, string> | null {
  try {
    const lines = readFileSync(`/proc/${pid}/status`, 'utf8').split('\n');
    return new Map(
      lines.map((line) => line.split(':\t', 2) as [string, string]).map(([key, value]) => [key, value?.trim()]),
    );
  } catch {
    return null;
  }
}

/** The script or program that it runs. */
function nameOf(pid: number): string {
  const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  const script = words.find((word, at) => at > 0 && /\.(ts|js)$/.test(word)) ?? words[0];
  return script.split('/').at(-1)!;
}
