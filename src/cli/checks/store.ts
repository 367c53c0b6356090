/** Can nats-server keep its store? It goes below the folder for temporary files, unless a run says otherwise. */
import os from 'node:os';
import { gib } from '../figures.ts';
import type { Finding } from './finding.ts';
import { lookAt, type FolderFacts } from './folder.ts';

/** The records that nodes share take a few megabytes; the server refuses a store without room. */
const leastBytes = 128 * 2 ** 20;

export function checkStore(folder = os.tmpdir()): Finding {
  return judgeStore(lookAt(folder));
}

export function judgeStore({ path, isWritable, freeBytes }: FolderFacts): Finding {
  const isRoomy = freeBytes === null || freeBytes >= leastBytes;
  const free = freeBytes === null ? 'can be written' : `${gib(freeBytes)} free`;
  return {
    check: 'store',
    mark: isWritable && isRoomy ? 'ok' : 'warn',
    found: `${path}: ${isWritable ? free : 'cannot be written'}`,
    mend: isWritable && isRoomy ? null : 'set TMPDIR (on Windows TEMP) to a folder of yours with some room',
    facts: { path, writable: isWritable, free_bytes: freeBytes },
  };
}
