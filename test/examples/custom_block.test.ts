/** The example of a custom block trains on nodes, to a loss below that of knowing nothing. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { hangMs } from '../hang.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const cwd = mkdtempSync(join(tmpdir(), 'troupe-example-'));
afterAll(() => rmSync(cwd, { recursive: true }));

test('a custom model block', { tags: ['nats-server'] }, () => {
  const args = ['--conditions=troupe-source', join(root, 'examples/custom_block.ts'), join(root, 'docs/**/*.md')];
  const env = { ...process.env, NODE_OPTIONS: '' };
  const { stdout, stderr, status } = spawnSync(process.execPath, args, { cwd, encoding: 'utf8', timeout: hangMs, env });
  expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
  const lines = stdout.trimEnd().split('\n');
  expect(lines[0]).toBe('345152 parameters on 2 workers');
  expect(lines.filter((line) => /^step \d+: loss \d\.\d{3}$/.test(line))).toHaveLength(4);
  const [, loss, runDir] = /^held-out loss (\d\.\d{3}); the run is in (runs\/swiglu-\d+-\d+)$/.exec(lines[5])!;
  expect(Number(loss)).toBeLessThan(Math.log(256) - 2);
  expect(readdirSync(join(cwd, runDir))).toContain('checkpoints');
});
