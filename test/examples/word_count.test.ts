/** The examples run, and print what they should. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

test('an actor system without machine learning', () => {
  const args = ['--conditions=troupe-source', 'examples/word_count.ts'];
  const env = { ...process.env, NODE_OPTIONS: '' };
  const { stdout, stderr, status } = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8', env });
  expect([stdout.split('\n'), stderr, status]).toEqual([
    [
      '(error: failed: text 2 is binary)',
      '(warn: words/counter-0 failed: text 2 is binary; starts words/counter-0 in 50 ms, 1 of at most 3 restarts in 5000 ms)',
      '21 words in 3 texts, 1 refused',
      '',
    ],
    '',
    0,
  ]);
});
