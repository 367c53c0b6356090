/**
 * A disk that does a given number of operations and then fails at every further one: the file system as a crash or a
 * full disk would leave it. With `torn`, the operation at which it fails writes half of its bytes first.
 */
import { nodeDisk } from '../../src/checkpoints/index.ts';
import type { Disk } from '../../src/checkpoints/index.ts';

export interface FailingDisk extends Disk {
  /** What was done or tried, in order. */
  readonly log: readonly string[];
}

/** Lets `operations` through to the file system, then fails with an error of this system code. */
export function failingDisk(operations: number, code: string): FailingDisk {
  const log: string[] = [];
  const step = async <T>(what: string, action: () => Promise<T>, torn?: () => Promise<void>): Promise<T> => {
    log.push(what);
    if (log.length <= operations) return await action();
    if (log.length === operations + 1) await torn?.();
    throw Object.assign(new Error(`${code}: injected, ${what}`), { code });
  };
  return {
    log,
    makeFolder: (path) => step('makeFolder', () => nodeDisk.makeFolder(path)),
    ensureFolder: (path) => nodeDisk.ensureFolder(path),
    names: (path) => nodeDisk.names(path),
    remove: (path) => step('remove', () => nodeDisk.remove(path)),
    rename: (from, to) => step('rename', () => nodeDisk.rename(from, to)),
    syncFolder: (path) => step('syncFolder', () => nodeDisk.syncFolder(path)),
    create: (path) =>
      step('create', async () => {
        const file = await nodeDisk.create(path);
        return {
          write: (bytes) =>
            step(
              'write',
              () => file.write(bytes),
              () => file.write(bytes.subarray(0, bytes.length >> 1)),
            ),
          sync: () => step('sync', () => file.sync()),
          close: () => file.close(),
        };
      }),
  };
}
