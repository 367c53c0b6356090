/** Is there room where runs are written? Corpora, checkpoints and logs go there, each kept as the topology file says. */
import { gib } from '../figures.ts';
import type { Finding } from './finding.ts';
import { lookAt, type FolderFacts } from './folder.ts';

/** A few checkpoints of a model of a hundred million parameters, at 12 bytes each. */
const comfortableBytes = 4 * 2 ** 30;
/** The corpora and checkpoints of the quickstart. */
const leastBytes = 256 * 2 ** 20;

/** `folder` is where `troupe launch` makes run directories. */
export function checkDisk(folder = 'runs'): Finding {
  return judgeDisk(lookAt(folder));
}

export function judgeDisk({ path, isWritable, freeBytes }: FolderFacts): Finding {
  const facts = { path, writable: isWritable, free_bytes: freeBytes };
  const finding = (mark: Finding['mark'], found: string, mend: string | null): Finding => ({
    check: 'disk',
    mark,
    found: `${path}: ${found}`,
    mend,
    facts,
  });
  if (!isWritable) return finding('fail', 'cannot be written', 'start in a folder of yours, or give --run-dir');
  if (freeBytes === null) return finding('ok', 'can be written', null);
  const free = `${gib(freeBytes)} free`;
  if (freeBytes >= comfortableBytes) return finding('ok', free, null);
  return finding(
    freeBytes < leastBytes ? 'fail' : 'warn',
    `only ${free}`,
    'remove old runs, keep fewer checkpoints (checkpoint.keep), or give a --run-dir on another disk',
  );
}
