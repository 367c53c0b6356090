/**
 * What a run writes is no text to train on: its directory with logs, config and checkpoints, and the packed corpora. A
 * folder is recognised by what it holds, since a run's directory may have any name and may have been moved.
 */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

export class OwnOutputs {
  readonly #known = new Map<string, boolean>();

  /** Whether a file, by its absolute path, lies in such a folder. */
  has(path: string): boolean {
    return this.#isWithin(dirname(path));
  }

  #isWithin(folder: string): boolean {
    const known = this.#known.get(folder);
    if (known !== undefined) return known;
    const above = dirname(folder);
    const isOwn = isOutput(folder) || (above !== folder && this.#isWithin(above));
    this.#known.set(folder, isOwn);
    return isOwn;
  }
}

const isOutput = (folder: string): boolean => isRunDirectory(folder) || isCheckpoint(folder) || isPack(folder);

const runFiles = ['config.yaml', 'metrics.jsonl', 'events.jsonl', 'checkpoints'];

/** A run has all of these before it packs texts; one that failed earlier has the first and the last, and nothing else. */
function isRunDirectory(folder: string): boolean {
  const missing = runFiles.filter((name) => !existsSync(join(folder, name)));
  if (missing.length === 0) return true;
  if (missing.includes('config.yaml') || missing.includes('checkpoints')) return false;
  return entriesOf(folder).every((name) => [...runFiles, 'lock', 'nats'].includes(name));
}

/** One that was copied out of its run, or is not yet complete. */
const isCheckpoint = (folder: string): boolean =>
  /^step-\d{6,}\.g\d+(?:\.partial)?$/.test(basename(folder)) &&
  entriesOf(folder).some((name) => name.endsWith('.safetensors'));

/** A folder named by a digest, with a stream in it. */
const isPack = (folder: string): boolean =>
  /^[0-9a-f]{64}$/.test(basename(folder)) && entriesOf(folder).some((name) => /\.bin(?:\..*\.partial)?$/.test(name));

function entriesOf(folder: string): readonly string[] {
  return statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true ? readdirSync(folder) : [];
}
