/** The command as a user runs it: what it prints, where, and its exit code. What it refuses is in `refusals/`. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';

const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'troupe-cli-'));
  writeFileSync(join(folder, 'bad.yaml'), 'training:\n  steps: abc\n  sede: 3\n');
});
afterAll(() => rmSync(folder, { recursive: true }));

function troupe(...args: string[]): { stdout: string; stderr: string; exitCode: number | null } {
  const { stdout, stderr, status } = spawnSync(process.execPath, [main, ...args], {
    cwd: folder,
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '1', NODE_OPTIONS: '' },
  });
  return { stdout, stderr, exitCode: status };
}

test('--verbose adds the stack below the line', () => {
  const { stderr, exitCode } = troupe('launch', 'bad.yaml', '--verbose');
  const [line, ...stack] = stderr.split('\n');
  expect(line).toContain('troupe: bad.yaml:2:10: training.steps');
  expect(stack.some((frame) => frame.trim().startsWith('at '))).toBe(true);
  expect(exitCode).toBe(2);
});

test('help names every verb and ends with 0', () => {
  const { stdout, exitCode } = troupe('--help');
  expect(stdout).toContain('launch [options] [FILE.yaml]');
  expect(stdout).toContain('plan [options] <FILE.yaml>');
  expect(stdout).toContain('generate [options]');
  expect(stdout).toContain('data ');
  expect(stdout).toContain('doctor [options]');
  expect(exitCode).toBe(0);
});

test('without a verb the help is shown as an error', () => {
  const { stdout, stderr, exitCode } = troupe();
  expect(stdout).toBe('');
  expect(stderr).toContain('launch [options] [FILE.yaml]');
  expect(exitCode).toBe(2);
});

test('the version is that of the package', () => {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  const { stdout, exitCode } = troupe('--version');
  expect(manifest).toHaveProperty('version', stdout.trim());
  expect(exitCode).toBe(0);
});
