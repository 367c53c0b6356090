/** The lock of a run directory: whose counts, whose does not, and that several who want one never get it together. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { psFacts, thisProcess } from '../../src/process_identity.ts';
import { RunDirectoryRefused } from '../../src/telemetry/errors.ts';
import { RunLock } from '../../src/telemetry/run_lock.ts';
import { Contenders, deadPid } from './contention.ts';

let directory: string;
let file: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'troupe-lock-'));
  file = join(directory, 'lock');
});
afterEach(() => rmSync(directory, { recursive: true }));

/** `taken`, or why not; what was taken is given back. */
function attempt(...link: Parameters<typeof RunLock.take> extends [string, ...infer Rest] ? Rest : never): string {
  try {
    RunLock.take(directory, ...link).release();
    return 'taken';
  } catch (error) {
    if (error instanceof RunDirectoryRefused) return error.message;
    throw error;
  }
}

const lockOf = (owner: object): void => writeFileSync(file, JSON.stringify({ ...thisProcess(), nonce: 'n', ...owner }));

const inUse = (pid: number): string =>
  `run directory ${directory}: is in use by process ${pid} (${file}); wait for it, stop it, or give another --run-dir`;

const isLinux = process.platform === 'linux';

describe('a lock counts', () => {
  test('of a living process, and is refused by name of the process and of the file', () => {
    const lock = RunLock.take(directory);
    expect(RunLock.heldBy(directory)).toContain(`is in use by process ${process.pid} (${file})`);
    expect(attempt()).toBe(inUse(process.pid));
    lock.release();
    expect(RunLock.heldBy(directory)).toBeNull();
    expect(readdirSync(directory)).toEqual([]);
  });

  test('of another machine, whose processes nobody sees from here', () => {
    lockOf({ pid: 7, host: 'far' });
    expect(attempt()).toBe(
      `run directory ${directory}: is in use by process 7 of the machine far, which cannot be seen from here; ` +
        `if it has ended, remove ${file}`,
    );
  });

  test('of a version that did not say in which namespace its process is', () => {
    lockOf({ pidSpace: undefined });
    expect(attempt()).toBe(inUse(process.pid));
  });

  test('of version 0.1 too, which is a process id alone', () => {
    writeFileSync(file, `${process.ppid}\n`);
    expect(attempt()).toBe(inUse(process.ppid));
  });
});

describe('a lock counts no more', () => {
  test.each<[string, () => object | Promise<object>]>([
    ['its process is gone', async () => ({ pid: await deadPid() })],
    ['its process id is that of another process by now', () => ({ pid: process.ppid, started: '1' })],
    ['its process id is our own, from an earlier start', () => ({ started: '1' })],
    ['its process was the first one, and another is the first one now', () => ({ pid: 1, started: '0' })],
    ['its container has started again', () => ({ pidSpace: 'pid:[1]' })],
    ['its machine was switched off meanwhile', () => ({ boot: 'another' })],
  ])('when %s', async (_why, owner) => {
    lockOf(await owner());
    if (isLinux) expect(attempt()).toBe('taken');
  });

  test('when nobody can read it', () => {
    writeFileSync(file, 'torn');
    expect(attempt()).toBe('taken');
  });

  test.runIf(isLinux)('when its process has ended, and the one that started it does not ask how', async () => {
    // The shell becomes a program that waits for nobody.
    using parent = spawn('/bin/sh', ['-c', 'sleep 1000 & echo $!; exec sleep 2000'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const [pid] = ((await once(parent.stdout, 'data')) as [Buffer]).map(Number);
    while (!readFileSync(`/proc/${parent.pid}/cmdline`, 'utf8').startsWith('sleep')) await turn();
    process.kill(pid, 'SIGKILL');
    while (!readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ')) await turn();
    lockOf({ pid, started: readFileSync(`/proc/${pid}/stat`, 'utf8').split(' ')[21] });
    expect(attempt()).toBe('taken');
  });
});

describe.runIf(isLinux)('a lock of version 0.1 counts no more', () => {
  test('when its process id is a thread by now', () => {
    const threads = readdirSync('/proc/self/task').map(Number);
    for (const thread of threads) {
      writeFileSync(file, `${thread}\n`);
      expect(attempt()).toBe('taken');
    }
  });

  test('when its process id is another program by now', () => {
    using other = spawn('sleep', ['1000']);
    writeFileSync(file, `${other.pid}\n`);
    expect(attempt()).toBe('taken');
  });

  test('when it is older than the process', () => {
    writeFileSync(file, `${process.ppid}\n`);
    utimesSync(file, 0, 0);
    expect(attempt()).toBe('taken');
  });

  test('when its process id is our own, from an earlier start', () => {
    writeFileSync(file, `${process.pid}\n`);
    expect(attempt()).toBe('taken');
  });
});

test('a lock that another process has taken meanwhile, since somebody removed ours, stays', () => {
  const lock = RunLock.take(directory);
  lockOf({ host: 'far' });
  lock.release();
  expect(readFileSync(file, 'utf8')).toContain('far');
});

test('of four processes at once over a stale lock, one has it, and nothing is left when it is given back', async () => {
  await using four = new Contenders(4);
  const pid = await deadPid();
  for (let round = 0; round < 30; round += 1) {
    const [stale, text] = [{ ...thisProcess(), pid, nonce: String(round) }, `${pid}\n`];
    writeFileSync(file, round % 2 === 0 ? JSON.stringify(stale) : text);
    const answers = await four.take(directory);
    expect(answers.filter((answer) => answer === 'owner')).toHaveLength(1);
    expect(answers.filter((answer) => answer.includes('is in use by process'))).toHaveLength(3);
    await four.release();
    expect(readdirSync(directory)).toEqual([]);
  }
});

describe('on a file system without links', () => {
  const link = (): never => {
    throw Object.assign(new Error('no links'), { code: 'EPERM' });
  };

  test('a lock is taken and counts as anywhere', () => {
    const lock = RunLock.take(directory, link);
    expect(attempt(link)).toBe(inUse(process.pid));
    lock.release();
    lockOf({ pid: process.ppid, started: '1' });
    if (isLinux) expect(attempt(link)).toBe('taken');
  });

  test('an empty one may be just being written, and is not taken over', () => {
    writeFileSync(file, '');
    expect(attempt(link)).toBe(
      `run directory ${directory}: is being taken by another process, or one was killed as it took it; ` +
        `if none is there, remove ${file}`,
    );
    expect(attempt()).toBe('taken');
  });
});

test.skipIf(process.platform === 'win32' || spawnSync('ps').error !== undefined)(
  'where there is no /proc, ps tells the start of a process',
  async () => {
    const { pid } = process;
    expect(psFacts(pid)).toEqual({
      started: expect.stringMatching(/\d\d:\d\d:\d\d 20\d\d$/) as unknown,
      isZombie: false,
    });
    expect(psFacts(pid)).toEqual(psFacts(pid));
    expect(psFacts(await deadPid())).toBeNull();
  },
);

test('a process knows itself', () => {
  expect(thisProcess()).toMatchObject({ pid: process.pid, host: hostname() });
});
