/** What one start of the command has compiled the next one finds, and a start without a place for it is as good. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { keepCompiled } from '../../src/cli/compile_cache.ts';
import { main } from './training.ts';

const folder = mkdtempSync(join(tmpdir(), 'troupe-compiled-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The cache's files after a start, by name, with when each was written. */
function start(cache: string): Map<string, number> {
  const env = { ...process.env, NODE_COMPILE_CACHE: cache, NODE_OPTIONS: '' };
  const { stdout, stderr, status } = spawnSync(process.execPath, [main, '--version'], { env, encoding: 'utf8' });
  expect([stdout, stderr, status]).toEqual([expect.stringMatching(/^\d+\.\d+\.\d+\n$/), '', 0]);
  if (!statSync(cache).isDirectory()) return new Map();
  const paths = readdirSync(cache, { recursive: true, encoding: 'utf8' }).map((name) => join(cache, name));
  return new Map(paths.filter((path) => statSync(path).isFile()).map((path) => [path, statSync(path).mtimeMs]));
}

test('a second start compiles nothing that the first one did', () => {
  const cache = join(folder, 'cache');
  const first = start(cache);
  expect(first.size).toBeGreaterThan(50);
  expect(start(cache)).toEqual(first);
});

test('where the folder cannot be made the command runs all the same, and says nothing', () => {
  const file = join(folder, 'file');
  writeFileSync(file, '');
  expect(start(file).size).toBe(0);
});

test('nodes and workers are told of a folder in the package, unless the environment names one', () => {
  const env: NodeJS.ProcessEnv = { NODE_COMPILE_CACHE: join(folder, 'mine') };
  keepCompiled(env);
  expect(env.NODE_COMPILE_CACHE).toBe(join(folder, 'mine'));
  delete env.NODE_COMPILE_CACHE;
  keepCompiled(env);
  expect(env.NODE_COMPILE_CACHE).toMatch(/\.cache.compiled$/);
});
