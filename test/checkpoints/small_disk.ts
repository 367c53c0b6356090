/**
 * A disk of a given size: what is written beyond it fails with ENOSPC, after as much as there was room for, and what is
 * removed gives its room back. Only bytes of files count.
 */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { nodeDisk } from '../../src/checkpoints/index.ts';
import type { Disk } from '../../src/checkpoints/index.ts';

/** Bytes of all files below a folder. */
export function bytesBelow(path: string): number {
  const names = readdirSync(path, { recursive: true, encoding: 'utf8' });
  return names
    .map((name) => statSync(join(path, name)))
    .reduce((sum, stats) => sum + (stats.isFile() ? stats.size : 0), 0);
}

/** The file system as far as `folder` has at most `bytes`. */
export function smallDisk(folder: string, bytes: number): Disk {
  return {
    ...nodeDisk,
    async create(path) {
      const file = await nodeDisk.create(path);
      return {
        ...file,
        async write(chunk) {
          const room = bytes - bytesBelow(folder);
          await file.write(chunk.subarray(0, Math.max(0, room)));
          if (chunk.length <= room) return;
          throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
        },
      };
    },
  };
}
