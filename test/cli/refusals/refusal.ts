/**
 * A command that is refused, as a user sees it: its lines on standard error, its exit code, and what it did to the folder
 * that it was called in. Nothing there may be changed or gone; what is new is told. A list of refusals is called here, by
 * what the process calls, and those of each kind in a process too: `refusalHere` and `refusalOf` say the same of them.
 */
import { spawnSync } from 'node:child_process';
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { codeOf } from '../../../src/system_error.ts';
import { hangMs } from '../../hang.ts';
import { troupeHere } from '../here.ts';
import { folder, main } from '../training.ts';

export interface Refusal {
  /** Of standard error; the folder reads `DIR`. */
  readonly lines: readonly string[];
  readonly exitCode: number | null;
  /** Files and folders that were there and are not as they were. */
  readonly changed: readonly string[];
  /** Files and folders that were not there; a folder ends with `/`. */
  readonly made: readonly string[];
}

/** Of a command in a process of its own. `command` is what the arguments are given to; default: the source on this Node. */
export function refusalOf(args: readonly string[], command: readonly string[] = [process.execPath, main]): Refusal {
  const before = everythingIn(folder);
  const [program, ...first] = command;
  const { stderr, status } = spawnSync(program, [...first, ...args], {
    cwd: folder,
    encoding: 'utf8',
    timeout: hangMs,
    env: { ...process.env, NO_COLOR: '1', NODE_OPTIONS: '', TROUPE_NATS_TOKEN: undefined },
  });
  return refusal(before, stderr, status);
}

/** Of a command in this process. */
export async function refusalHere(args: readonly string[]): Promise<Refusal> {
  const before = everythingIn(folder);
  const { stderr, exitCode } = await troupeHere(folder, args);
  return refusal(before, stderr, exitCode);
}

function refusal(before: ReadonlyMap<string, string>, stderr: string, exitCode: number | null): Refusal {
  const after = everythingIn(folder);
  return {
    lines: stderr.replaceAll(folder, 'DIR').split('\n').slice(0, -1),
    exitCode,
    changed: [...before].flatMap(([name, content]) => (after.get(name) === content ? [] : [name])),
    made: [...after.keys()].filter((name) => !before.has(name)),
  };
}

/** One line and nothing else: what every refusal comes to that is found before anything is begun. */
export const plainly = (line: string, exitCode: number): Refusal => ({
  lines: [line],
  exitCode,
  changed: [],
  made: [],
});

/** Every file below a folder with its content, and every folder; of what this user may not read, only that it is there. */
function everythingIn(path: string, below = ''): Map<string, string> {
  const all = new Map<string, string>();
  for (const name of ifAllowed(() => readdirSync(path).sort(), [])) {
    const full = join(path, name);
    const stats = lstatSync(full);
    if (stats.isDirectory()) {
      all.set(`${below}${name}/`, '');
      for (const [inner, content] of everythingIn(full, `${below}${name}/`)) all.set(inner, content);
    } else {
      const read = (): string => (stats.isSymbolicLink() ? readlinkSync(full) : readFileSync(full, 'latin1'));
      all.set(below + name, ifAllowed(read, 'not to be read'));
    }
  }
  return all;
}

function ifAllowed<T>(read: () => T, otherwise: T): T {
  try {
    return read();
  } catch (error) {
    if (codeOf(error) === 'EACCES') return otherwise;
    throw error;
  }
}
