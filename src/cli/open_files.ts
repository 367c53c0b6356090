/**
 * How many files a process may have open at once. Node takes about twenty to start, a worker thread and a node process some
 * more each. Below a number that even the smallest run needs, the command says so before it starts anything.
 */
import { readFileSync } from 'node:fs';

/** The smallest run, of one worker in one process, has some thirty at once. */
export const FEWEST_OPEN_FILES = 64;

/** The limit of this process, from the text of `/proc/self/limits`; null where that is none, or not told. */
export function openFilesLimit(limits: string | null = limitsOfThisProcess()): number | null {
  const soft = /^Max open files\s+(\d+)/m.exec(limits ?? '')?.[1];
  return soft === undefined ? null : Number(soft);
}

/** What is too few, and how to mend it; null where there are enough, or nobody knows. */
export function tooFewOpenFiles(limit: number | null = openFilesLimit()): string | null {
  if (limit === null || limit >= FEWEST_OPEN_FILES) return null;
  return `at most ${limit} files may be open at once here, and a run needs ${FEWEST_OPEN_FILES} or more; ${raiseLimit}`;
}

export const raiseLimit = 'raise the limit: ulimit -n 1024';

function limitsOfThisProcess(): string | null {
  try {
    return readFileSync('/proc/self/limits', 'utf8');
  } catch {
    return null;
  }
}
