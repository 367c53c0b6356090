/**
 * The directory of a run's checkpoints. A checkpoint is complete or absent: written under a partial name, renamed last,
 * then pointed at by `latest.json`. A damaged one is refused by name and the one before it is there to go on from.
 * One process writes a store at a time; any number may read it.
 */
import { statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { systemCodeOf } from '../system_error.ts';
import { openCheckpoint } from './checkpoint.ts';
import type { Checkpoint } from './checkpoint.ts';
import { nodeDisk, writeDurably } from './disk.ts';
import type { Disk } from './disk.ts';
import { CheckpointExists, CheckpointIo, DamagedCheckpoint, NoCheckpoint } from './errors.ts';
import { readManifest, type Manifest } from './manifest.ts';
import { PARTIAL, formatName, newestFirst, parseName } from './name.ts';
import type { CheckpointName } from './name.ts';
import { CheckpointWriter } from './writer.ts';

export const POINTER_FILE = 'latest.json';

const POINTER_REMEDY = 'remove it, the newest checkpoint is used then';

const pointerSchema = z.strictObject({ version: z.literal(1), checkpoint: z.string() });

/** The newest checkpoint that is whole, and those that are newer and are not. */
export interface NewestValid {
  readonly checkpoint: Checkpoint;
  readonly refused: readonly (DamagedCheckpoint | CheckpointIo)[];
}

/** The newest checkpoint that is whole, and the names of those that are older, the newest of them first. */
export interface NewestAndOlder {
  readonly checkpoint: Checkpoint;
  readonly older: readonly CheckpointName[];
}

export class CheckpointStore {
  readonly dir: string;
  readonly #disk: Disk;

  /** Touches nothing; a store that is only read may be made so. */
  constructor(dir: string, disk: Disk = nodeDisk) {
    this.dir = dir;
    this.#disk = disk;
  }

  /**
   * Opens a store for writing: makes its directory and removes what a crash left unfinished. Throws `CheckpointIo`, and
   * `DamagedCheckpoint` where a folder is in the place of `latest.json`, which would fail the first checkpoint.
   */
  static async forWriting(dir: string, disk: Disk = nodeDisk): Promise<CheckpointStore> {
    await io(dir, async () => {
      await disk.ensureFolder(dir);
      for (const name of await disk.names(dir)) if (name.endsWith(PARTIAL)) await disk.remove(join(dir, name));
    });
    const pointer = join(dir, POINTER_FILE);
    if (statSync(pointer, { throwIfNoEntry: false })?.isDirectory() === true) {
      throw new DamagedCheckpoint(pointer, 'it is a folder', POINTER_REMEDY);
    }
    return new CheckpointStore(dir, disk);
  }

  /** Begins the checkpoint of a step and generation; throws `CheckpointExists` or `CheckpointIo`. */
  async begin(step: number, gen: number): Promise<CheckpointWriter> {
    const name = { step, gen };
    const path = join(this.dir, formatName(name));
    const there = await io(this.dir, () => this.#disk.names(this.dir));
    if (there.includes(formatName(name)) || there.includes(formatName(name) + PARTIAL)) {
      throw new CheckpointExists(path);
    }
    await io(path, () => this.#disk.makeFolder(path + PARTIAL));
    return new CheckpointWriter(this.#disk, this.dir, name, (committed) => this.pointAt(committed));
  }

  /** Names of the complete checkpoints, the newest first; not verified. Empty where there is no directory. */
  async list(): Promise<CheckpointName[]> {
    return (await this.#names())
      .map(parseName)
      .filter((name) => name !== null)
      .sort(newestFirst);
  }

  /** Names that look like a checkpoint's and are none, sorted; whoever made them, they are left alone. */
  async strangers(): Promise<string[]> {
    const names = await this.#names();
    return names
      .filter((name) => name.startsWith('step-') && !name.endsWith(PARTIAL) && parseName(name) === null)
      .sort();
  }

  /** The checkpoint that `latest.json` names, or null where there is no pointer; throws `DamagedCheckpoint`. */
  async latest(): Promise<CheckpointName | null> {
    const path = join(this.dir, POINTER_FILE);
    let text: string;
    try {
      text = await readFile(path, 'utf8');
    } catch (cause) {
      if (systemCodeOf(cause) === 'ENOENT') return null;
      throw new CheckpointIo(path, cause);
    }
    try {
      const name = parseName(pointerSchema.parse(JSON.parse(text)).checkpoint);
      if (name !== null) return name;
    } catch (cause) {
      throw new DamagedCheckpoint(path, 'it is no pointer to a checkpoint', POINTER_REMEDY, cause);
    }
    throw new DamagedCheckpoint(path, 'it names no checkpoint', POINTER_REMEDY);
  }

  /** Moves `latest.json`; `commit` does so, and a rollback to an earlier checkpoint may. Throws `CheckpointIo`. */
  async pointAt(name: CheckpointName): Promise<void> {
    const bytes = Buffer.from(`${JSON.stringify({ version: 1, checkpoint: formatName(name) })}\n`);
    await io(join(this.dir, POINTER_FILE), () => writeDurably(this.#disk, this.dir, POINTER_FILE, bytes));
  }

  /**
   * Opens and verifies one checkpoint: of a step (its highest generation), or the one `latest.json` names (the newest
   * without a pointer). Throws `NoCheckpoint`, `DamagedCheckpoint`, `CheckpointIo`.
   */
  async open(which: number | 'latest'): Promise<Checkpoint> {
    const names = await this.list();
    const pointer = which === 'latest' ? await this.latest() : null;
    const name = pointer ?? names.find(({ step }) => which === 'latest' || step === which);
    if (name === undefined) {
      throw new NoCheckpoint(this.dir, which === 'latest' ? 'it holds none' : `it holds none of step ${which}`);
    }
    return await openCheckpoint(join(this.dir, formatName(name)));
  }

  /** Opens the newest checkpoint that is whole, whatever the pointer says; throws `NoCheckpoint` if none is. */
  async openNewestValid(): Promise<NewestValid> {
    const refused: (DamagedCheckpoint | CheckpointIo)[] = [];
    for (const name of await this.list()) {
      try {
        return { checkpoint: await openCheckpoint(join(this.dir, formatName(name))), refused };
      } catch (error) {
        if (!(error instanceof DamagedCheckpoint || error instanceof CheckpointIo)) throw error;
        refused.push(error);
      }
    }
    if (refused.length === 0) throw new NoCheckpoint(this.dir, 'it holds none');
    const [newest, ...others] = refused;
    const more = others.length === 0 ? '' : ` (and ${others.length} more)`;
    throw new NoCheckpoint(this.dir, `all are refused: ${newest.message}${more}`);
  }

  /** The newest manifest that can be read, with its folder; the shards are not looked at. Null where there is none. */
  async newestManifest(): Promise<{ readonly path: string; readonly manifest: Manifest } | null> {
    for (const name of await this.list()) {
      const path = join(this.dir, formatName(name));
      try {
        return { path, manifest: await readManifest(path) };
      } catch (error) {
        if (!(error instanceof DamagedCheckpoint || error instanceof CheckpointIo)) throw error;
      }
    }
    return null;
  }

  /** Removes all but the newest `keep` checkpoints and the one `latest.json` names; returns what was removed. */
  async prune(keep: number): Promise<CheckpointName[]> {
    return await this.#remove((await this.list()).slice(keep));
  }

  /**
   * Removes, before the next checkpoint, what `prune(keep)` would remove after it: a full disk may have room for it then.
   * The newest that is whole stays, since the next may fail. Returns what was removed; throws `CheckpointIo`.
   */
  async makeRoom(keep: number): Promise<CheckpointName[]> {
    const newest = await this.newestValid();
    return newest === null ? [] : await this.#remove(newest.older.slice(Math.max(0, keep - 2)));
  }

  /** Null where no checkpoint is whole. Throws `CheckpointIo`. */
  async newestValid(): Promise<NewestAndOlder | null> {
    try {
      const { checkpoint } = await this.openNewestValid();
      const older = (await this.list()).filter((name) => newestFirst(checkpoint.name, name) < 0);
      return { checkpoint, older };
    } catch (error) {
      if (error instanceof NoCheckpoint) return null;
      throw error;
    }
  }

  async #remove(names: readonly CheckpointName[]): Promise<CheckpointName[]> {
    const latest = await this.latest();
    const removed = names.filter((name) => latest === null || formatName(name) !== formatName(latest));
    for (const name of removed) {
      const path = join(this.dir, formatName(name));
      await io(path, async () => {
        // Under a partial name first: half removed, it must not look like a checkpoint.
        await this.#disk.rename(path, path + PARTIAL);
        await this.#disk.remove(path + PARTIAL);
      });
    }
    return removed;
  }

  #names(): Promise<string[]> {
    return io(this.dir, async () => {
      try {
        return await this.#disk.names(this.dir);
      } catch (cause) {
        if (systemCodeOf(cause) === 'ENOENT') return [];
        throw cause;
      }
    });
  }
}

async function io<T>(path: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (cause) {
    throw new CheckpointIo(path, cause);
  }
}
