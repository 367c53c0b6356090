/** The command as a user runs it: what it prints, where, and its exit code. Nothing here starts a training run. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'troupe-cli-'));
  writeFileSync(join(folder, 'good.yaml'), 'name: good\n');
  writeFileSync(join(folder, 'bad.yaml'), 'training:\n  steps: abc\n  sede: 3\n');
  mkdirSync(join(folder, 'mine'));
  writeFileSync(join(folder, 'mine', 'letter.txt'), 'dear');
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

describe('a command that cannot be carried out ends with 2 and one line', () => {
  test.each([
    [
      ['launch', 'bad.yaml'],
      'troupe: bad.yaml:2:10: training.steps: found "abc", allowed: a whole number, 1 or more (and 1 more error)',
    ],
    [
      ['launch', 'good.yaml', '--set', 'training.steps=0'],
      'troupe: --set training.steps=0: training.steps: found 0, allowed: a whole number, 1 or more',
    ],
    [
      ['launch', 'good.yaml', '--set', 'name=a', '--set', 'training.steps'],
      'troupe: --set training.steps: not of the form KEY=VALUE, for example training.steps=100',
    ],
    [
      ['launch', 'good.yaml', '--steps', 'many'],
      'troupe: --steps many: training.steps: found "many", allowed: a whole number, 1 or more',
    ],
    [
      ['launch', 'none.yaml'],
      'troupe: none.yaml: no such file; give a topology file, for example configs/quickstart.yaml',
    ],
    [['launch', '.'], 'troupe: .: cannot be read (EISDIR); give a topology file, for example configs/quickstart.yaml'],
    [
      ['launch', 'good.yaml', '--resume'],
      'troupe: --resume needs --run-dir: name the directory of the run to continue',
    ],
    [
      ['launch', 'good.yaml', '--run-dir', 'mine'],
      'troupe: run directory mine: holds files that are no run; give an empty or a new directory to --run-dir',
    ],
    [
      ['launch', 'good.yaml', '--run-dir', 'nowhere', '--resume'],
      'troupe: run directory nowhere: holds no run to resume; name one with --run-dir, or leave out --resume',
    ],
    [['launch'], "troupe: missing required argument 'FILE.yaml' (troupe --help lists what there is)"],
    [
      ['launch', 'good.yaml', '--stpes', '3'],
      "troupe: unknown option '--stpes' (Did you mean --steps?) (troupe --help lists what there is)",
    ],
    [['lunch'], "troupe: unknown command 'lunch' (Did you mean launch?) (troupe --help lists what there is)"],
    [
      ['plan', 'bad.yaml'],
      'troupe: bad.yaml:2:10: training.steps: found "abc", allowed: a whole number, 1 or more (and 1 more error)',
    ],
    [
      ['plan', 'good.yaml', '--set', 'cluster.nodes=0'],
      'troupe: --set cluster.nodes=0: cluster.nodes: found 0, allowed: a whole number, 1 or more',
    ],
    [
      ['plan', 'good.yaml', '--steps', 'many'],
      'troupe: --steps many: training.steps: found "many", allowed: a whole number, 1 or more',
    ],
    [
      ['plan', 'none.yaml'],
      'troupe: none.yaml: no such file; give a topology file, for example configs/quickstart.yaml',
    ],
    [
      ['generate', '--prompt', 'x'],
      "troupe: required option '--checkpoint <DIR>' not specified (troupe --help lists what there is)",
    ],
    [
      ['generate', '--checkpoint', 'x', '--prompt', 'x', '--max-tokens', '0'],
      "troupe: option '--max-tokens <N>' argument '0' is invalid. Allowed: a whole number, 1 or more. (troupe --help lists what there is)",
    ],
  ])('%j', (args, line) => {
    expect(troupe(...args)).toEqual({ stdout: '', stderr: `${line}\n`, exitCode: 2 });
  });

  test('and leaves no file behind', () => {
    expect(readdirSync(folder).sort()).toEqual(['bad.yaml', 'good.yaml', 'mine']);
    expect(readdirSync(join(folder, 'mine'))).toEqual(['letter.txt']);
  });
});

test('--verbose adds the stack below the line', () => {
  const { stderr, exitCode } = troupe('launch', 'bad.yaml', '--verbose');
  const [line, ...stack] = stderr.split('\n');
  expect(line).toContain('troupe: bad.yaml:2:10: training.steps');
  expect(stack.some((frame) => frame.trim().startsWith('at '))).toBe(true);
  expect(exitCode).toBe(2);
});

test('help names every verb and ends with 0', () => {
  const { stdout, exitCode } = troupe('--help');
  expect(stdout).toContain('launch [options] <FILE.yaml>');
  expect(stdout).toContain('plan [options] <FILE.yaml>');
  expect(stdout).toContain('generate [options]');
  expect(stdout).toContain('doctor [options]');
  expect(exitCode).toBe(0);
});

test('without a verb the help is shown as an error', () => {
  const { stdout, stderr, exitCode } = troupe();
  expect(stdout).toBe('');
  expect(stderr).toContain('launch [options] <FILE.yaml>');
  expect(exitCode).toBe(2);
});

test('the version is that of the package', () => {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  const { stdout, exitCode } = troupe('--version');
  expect(manifest).toHaveProperty('version', stdout.trim());
  expect(exitCode).toBe(0);
});
