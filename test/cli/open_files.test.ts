/** Too few open files: said in one line, with the limit and how to raise it, wherever they run out. */
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { failureOf } from '../../src/cli/failure.ts';
import { openFilesLimit, tooFewOpenFiles } from '../../src/cli/open_files.ts';
import { folder, main, prepareFolder } from './training.ts';

beforeAll(() => prepareFolder());
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The command under a limit of the shell. */
function limitedTo(limit: number, ...args: string[]): { stderr: string; exitCode: number | null } {
  const { stderr, status } = spawnSync(
    '/bin/sh',
    ['-c', `ulimit -n ${limit}; exec "$0" "$@"`, process.execPath, main, ...args],
    {
      cwd: folder,
      encoding: 'utf8',
      env: { ...process.env, NODE_OPTIONS: '' },
    },
  );
  return { stderr, exitCode: status };
}

describe.runIf(process.platform === 'linux')('under a limit of the shell', () => {
  test.each([24, 32, 63])('of %d the command ends with 1 and one line, before it loads anything', (limit) => {
    expect(limitedTo(limit, 'launch', 'tiny.yaml', '--run-dir', 'few')).toEqual({
      exitCode: 1,
      stderr: `troupe: at most ${limit} files may be open at once here, and a run needs 64 or more; raise the limit: ulimit -n 1024\n`,
    });
  });

  test('that its threads come up against, a run ends with 1 and one line', () => {
    const workers = ['--set', 'cluster.workers_per_node=8', '--set', 'parallelism.data_parallel=4'];
    const { stderr, exitCode } = limitedTo(64, 'launch', 'tiny.yaml', '--run-dir', 'threads', ...workers);
    expect([stderr, exitCode]).toEqual([
      expect.stringMatching(/^troupe: .*at most 64 files may be open at once here; raise the limit: ulimit -n 1024\n$/),
      1,
    ]);
  });
});

test('an error that has run out of files says the limit, be it tagged or not', () => {
  const limit = openFilesLimit();
  const remedy = `${limit === null ? '' : `at most ${limit} files may be open at once here; `}raise the limit: ulimit -n 1024`;
  const inItsCode = Object.assign(new Error('spawn node'), { code: 'EMFILE' });
  const inItsWords = Object.assign(new Error('node-0: ended; its last words: spawn ENFILE'), { tag: 'NodeDied' });
  expect(failureOf(inItsCode).line).toBe(`troupe: spawn node; ${remedy}`);
  expect(failureOf(inItsWords).line).toBe(`troupe: node-0: ended; its last words: spawn ENFILE; ${remedy}`);
});

test('the limit is that of /proc, and nobody knows it where there is none', () => {
  const limits = (soft: string): string =>
    `Limit  Soft Limit  Hard Limit  Units\nMax open files            ${soft}  4096  files\n`;
  expect([limits('24'), limits('unlimited'), null].map((text) => openFilesLimit(text))).toEqual([24, null, null]);
  expect([63, 64, null].map((limit) => typeof tooFewOpenFiles(limit))).toEqual(['string', 'object', 'object']);
});
