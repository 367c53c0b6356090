/**
 * The directory of a run: `config.yaml`, `metrics.jsonl`, `events.jsonl`, `checkpoints/`. One process owns it at a time,
 * by a lock file that names it; a lock of a process that is gone is taken over. Nothing of an earlier run, or of
 * anybody else, is ever overwritten.
 */
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { codeOf, diskRemedy } from '../system_error.ts';
import { RunDirectoryRefused } from './errors.ts';
import { RunLock } from './run_lock.ts';

export interface RunDirectoryOptions {
  /** The directory to use, or null for a new `runs/<name>-<time>` below `parent`. */
  readonly directory: string | null;
  readonly parent: string;
  readonly name: string;
  /** Continue the run that the directory holds. */
  readonly resume: boolean;
  /** Milliseconds since 1970. */
  readonly nowMs: number;
}

const unfinishedConfig = 'config.yaml.new';

export class RunDirectory {
  readonly path: string;
  readonly #lock: RunLock;

  private constructor(path: string, lock: RunLock) {
    this.path = path;
    this.#lock = lock;
  }

  get metricsPath(): string {
    return join(this.path, 'metrics.jsonl');
  }

  get eventsPath(): string {
    return join(this.path, 'events.jsonl');
  }

  get checkpointsPath(): string {
    return join(this.path, 'checkpoints');
  }

  /** Creates or takes a run directory. Throws RunDirectoryRefused where it is foreign, used, in use, or not to be had. */
  static open(options: RunDirectoryOptions): RunDirectory {
    const path = RunDirectory.check(options);
    try {
      makeFolder(path);
    } catch (error) {
      throw new RunDirectoryRefused(path, cannotBeMade(error));
    }
    return new RunDirectory(path, RunLock.take(path));
  }

  /** The directory that `open` would take; changes nothing. Throws RunDirectoryRefused where it is foreign, used or in use. */
  static check(options: RunDirectoryOptions): string {
    const path = options.directory ?? freshPath(options.parent, options.name, options.nowMs);
    const refuse = (reason: string): never => {
      throw new RunDirectoryRefused(path, reason);
    };
    const entries = listEntries(path, refuse);
    const held = RunLock.heldBy(path);
    if (held !== null) refuse(held);
    const isOurs = entries.includes('config.yaml');
    if (options.resume && !isOurs) refuse('holds no run to resume; name the directory of one, or leave out --resume');
    if (!options.resume && hasBegun(path, refuse)) {
      refuse('holds a run already; continue it with --resume, or give another --run-dir');
    }
    // What a launch leaves that was killed in its first moment.
    const isUnfinished = (entry: string): boolean => entry === unfinishedConfig || RunLock.isPart(entry);
    if (!isOurs && !entries.every(isUnfinished)) {
      refuse('holds files that are no run; give an empty or a new directory to --run-dir');
    }
    if (!existsSync(path)) checkRoom(path);
    return path;
  }

  /** Writes the resolved config; whole or not at all. Throws RunDirectoryRefused. */
  writeConfig(yaml: string): void {
    const temporary = join(this.path, unfinishedConfig);
    try {
      writeFileSync(temporary, yaml, { flush: true });
      renameSync(temporary, join(this.path, 'config.yaml'));
    } catch (error) {
      rmSync(temporary, { force: true });
      const code = codeOf(error);
      const reason = `its file config.yaml cannot be written (${code}); ${diskRemedy(code)}, or give another --run-dir`;
      throw new RunDirectoryRefused(this.path, reason);
    }
  }

  /** Gives the directory back; its files stay. */
  release(): void {
    this.#lock.release();
  }
}

const cannotBeMade = (error: unknown): string => `cannot be made (${codeOf(error)}); give another one to --run-dir`;

/** Throws RunDirectoryRefused where a folder that is not there could not be made either, as far as can be seen. */
function checkRoom(path: string): void {
  let above = dirname(resolve(path));
  while (!existsSync(above)) above = dirname(above);
  try {
    accessSync(above, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new RunDirectoryRefused(path, cannotBeMade(error));
  }
}

/** With the folders above it, one by one: below /proc, `recursive` of Node never comes back. */
function makeFolder(path: string): void {
  const above = dirname(resolve(path));
  if (!existsSync(above)) makeFolder(above);
  try {
    mkdirSync(path);
  } catch (error) {
    if (!existsSync(path)) throw error;
  }
}

/** `runs/quickstart-20260131-120000`, in UTC; `-2`, `-3` ... follow where that exists. */
function freshPath(parent: string, name: string, nowMs: number): string {
  const time = new Date(nowMs).toISOString().slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '-');
  const first = join(parent, `${name}-${time}`);
  for (let count = 1; ; count += 1) {
    const path = count === 1 ? first : `${first}-${count}`;
    if (!existsSync(path)) return path;
  }
}

/** A run that failed before its first step leaves nothing worth keeping, and may begin again in the same place. */
function hasBegun(path: string, refuse: (reason: string) => never): boolean {
  try {
    const metrics = statSync(join(path, 'metrics.jsonl'), { throwIfNoEntry: false });
    return (metrics?.size ?? 0) > 0 || readdirSync(join(path, 'checkpoints')).length > 0;
  } catch (error) {
    const code = codeOf(error);
    if (code === 'ENOENT') return false;
    return refuse(`its folder checkpoints cannot be read (${code}); ${diskRemedy(code)}, or give another --run-dir`);
  }
}

function listEntries(path: string, refuse: (reason: string) => never): string[] {
  try {
    return readdirSync(path);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    if (codeOf(error) === 'ENOTDIR')
      return refuse(`is ${existsSync(path) ? '' : 'below '}a file; give a directory to --run-dir`);
    return refuse(`cannot be read (${codeOf(error)}); give another one to --run-dir`);
  }
}
