/**
 * Who owns a run directory: the file `lock`, which names a process. It outlives a crash, so it counts only while that
 * process lives. A lock that counts no more is replaced by whoever owns the right to replace exactly that one, which is a
 * lock of its own: so nobody can remove a lock that somebody else has taken meanwhile.
 */
import { createHash, randomUUID } from 'node:crypto';
import { linkSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { codeOf, diskRemedy } from '../system_error.ts';
import { RunDirectoryRefused } from './errors.ts';
import { mayHaveWritten, presenceOf, thisProcess } from '../process_identity.ts';
import { makeWhole } from './whole_file.ts';

const ownerSchema = z.object({
  pid: z.int().positive(),
  started: z.string().nullable(),
  boot: z.string().nullable(),
  host: z.string(),
  /** Locks of earlier versions do not say. */
  pidSpace: z.string().nullable().default(null),
  /** No two locks are alike, ever. */
  nonce: z.string(),
});

/** A lock as it lies there. */
interface Found {
  readonly text: string;
  /** Milliseconds since 1970. */
  readonly writtenMs: number;
}

export class RunLock {
  static readonly fileName = 'lock';
  readonly #path: string;
  readonly #text: string;

  private constructor(path: string, text: string) {
    this.#path = path;
    this.#text = text;
  }

  /**
   * Takes the lock of a directory. Throws RunDirectoryRefused: it names the process that has it and the file that says so,
   * or why it cannot be had. `link` is for tests.
   */
  static take(directory: string, link = linkSync): RunLock {
    const path = join(directory, RunLock.fileName);
    const text = `${JSON.stringify({ ...thisProcess(), nonce: randomUUID() })}\n`;
    const refuse = (reason: string): never => {
      throw new RunDirectoryRefused(directory, reason);
    };
    let inTheWay: string | null;
    try {
      inTheWay = acquire(path, directory, text, link);
      if (inTheWay === null) tidyUp(directory);
    } catch (error) {
      const code = codeOf(error);
      return refuse(
        `its file ${RunLock.fileName} cannot be written (${code}); ${diskRemedy(code)}, or give another --run-dir`,
      );
    }
    return inTheWay === null ? new RunLock(path, text) : refuse(inTheWay);
  }

  /** Why the directory is refused, in words that follow its name; null where nobody has it, or where that cannot be read. */
  static heldBy(directory: string): string | null {
    const path = join(directory, RunLock.fileName);
    try {
      const found = find(path);
      return found === null ? null : counting(found, path, true);
    } catch {
      // `take` says what is in the way.
      return null;
    }
  }

  /** Whether a file of a run directory belongs to its lock, or to one that was about to be taken. */
  static isPart(fileName: string): boolean {
    return fileName === RunLock.fileName || fileName.startsWith(`${RunLock.fileName}.`);
  }

  /** Gives the directory back. A lock that is not this one any more, since somebody removed it by hand, stays. */
  release(): void {
    if (find(this.#path)?.text === this.#text) rmSync(this.#path, { force: true });
  }
}

/**
 * Takes the lock at `path`; returns why it counts where another process has it. Where the one that is there counts no
 * more, only the owner of the lock named after it may replace it, and does so only while it is still there.
 */
function acquire(path: string, directory: string, text: string, link: typeof linkSync): string | null {
  for (;;) {
    const { isMade, isWhole } = makeWhole(path, part(directory, `${randomUUID()}.new`), text, link);
    if (isMade) return null;
    const found = find(path);
    if (found === null) continue;
    const reason = counting(found, path, isWhole);
    if (reason !== null) return reason;
    const right = part(directory, `${digestOf(found)}.next`);
    const inTheWay = acquire(right, directory, text, link);
    if (inTheWay !== null) return inTheWay;
    const present = find(path);
    if (present !== null && digestOf(present) === digestOf(found)) {
      renameSync(right, path);
      return null;
    }
    rmSync(right, { force: true });
  }
}

/** What those left behind that died while they took a lock. They cannot be of use to anybody: this one is another lock. */
function tidyUp(directory: string): void {
  for (const name of readdirSync(directory)) {
    if (RunLock.isPart(name) && name !== RunLock.fileName) rmSync(join(directory, name), { force: true });
  }
}

const part = (directory: string, name: string): string => join(directory, `${RunLock.fileName}.${name}`);

function find(path: string): Found | null {
  try {
    return { text: readFileSync(path, 'utf8'), writtenMs: statSync(path).mtimeMs };
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    throw error;
  }
}

/** Version 0.1 wrote a process id alone, so that two of its locks may be alike but for their time. */
const digestOf = ({ text, writtenMs }: Found): string =>
  createHash('sha256').update(`${text}${writtenMs}`).digest('hex').slice(0, 16);

/** Why a lock counts, as the end of a line; null where it does not. `isWhole`: an empty one is not just being written. */
function counting(found: Found, path: string, isWhole: boolean): string | null {
  const { text, writtenMs } = found;
  if (text === '' && !isWhole) {
    return `is being taken by another process, or one was killed as it took it; if none is there, remove ${path}`;
  }
  const owner = ownerOf(text);
  if (owner === null) {
    const pid = Number(text);
    return Number.isInteger(pid) && pid > 0 && mayHaveWritten(pid, writtenMs) ? inUse(pid, path) : null;
  }
  switch (presenceOf(owner)) {
    case 'gone':
    // A container that starts again has another namespace, and has to go on without anybody's help.
    case 'hidden':
      return null;
    case 'alive':
      return inUse(owner.pid, path);
    case 'elsewhere': {
      const where = `process ${owner.pid} of the machine ${owner.host}`;
      return `is in use by ${where}, which cannot be seen from here; if it has ended, remove ${path}`;
    }
  }
}

const inUse = (pid: number, path: string): string =>
  `is in use by process ${pid} (${path}); wait for it, stop it, or give another --run-dir`;

/** Null where it is no lock of this version. */
function ownerOf(text: string): z.output<typeof ownerSchema> | null {
  try {
    return ownerSchema.safeParse(JSON.parse(text)).data ?? null;
  } catch {
    return null;
  }
}
