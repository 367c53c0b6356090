/**
 * Foreign code comes with a checkpoint or a run directory. A topology may name a module that computes the model,
 * anywhere on this machine, and whoever gives somebody a checkpoint has chosen its topology: nothing of it runs
 * unasked.
 */
import { realpathSync } from 'node:fs';
import { sublayersFile } from '../models/load_sublayers.ts';
import type { Topology } from '../topology/index.ts';

/** A checkpoint or run directory names code, and nobody said that it may run. */
export class CodeNotAllowed extends Error {
  readonly tag = 'CodeNotAllowed';
  readonly exitCode = 2;
  constructor(source: string, file: string) {
    super(`${source}: its model is code, the module ${file}; give --allow-code to run it, if you trust it`);
    this.name = 'CodeNotAllowed';
  }
}

/** Throws `CodeNotAllowed` where the topology that `source` brought names a module, unless that is allowed. */
export function checkForeignCode(
  source: string,
  { topology, baseDir, isAllowed }: { topology: Topology; baseDir: string; isAllowed: boolean },
): void {
  const file = sublayersFile(topology, baseDir);
  if (file !== null && !isAllowed) throw new CodeNotAllowed(source, whereItLies(file));
}

/** The file that `..` and links lead to, since that is what would run. */
function whereItLies(file: string): string {
  try {
    return realpathSync(file);
  } catch {
    // Not there: loading it would say so.
    return file;
  }
}
