/** The parts of a replay: what counts as another curve, what lies beside the working tree, and what a diff of programs is. */
import { execFileSync } from 'node:child_process';
import { lstatSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { checkOut, git } from './checkout.ts';
import { compare } from './compare.ts';
import type { Played } from './player.ts';
import { diffPrograms } from './programs.ts';

const root = mkdtempSync(join(tmpdir(), 'troupe-replay-test-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const played = (curve: readonly object[], ends = {}): Played => ({
  name: 'run',
  curve: curve.map((line) => ({ ...line })),
  ends,
  ms: 1,
});

describe('two curves', () => {
  const lines = [
    { step: 1, loss: 0.1, expert_load: { 1: [3, 4] } },
    { step: 2, loss: 0.3, expert_load: { 1: [2, 5] } },
  ];

  it('are equal where each number is', () => {
    expect(compare(played(lines), played(lines))).toEqual({ kind: 'equal', lines: 2 });
  });

  it.each([
    [{ step: 2, loss: 0.1 + 0.2, expert_load: { 1: [2, 5] } }, 'step 2, loss: 0.30000000000000004, was 0.3'],
    [{ step: 2, loss: 0.3, expert_load: { 1: [2, 6] } }, 'step 2, expert_load: {"1":[2,6]}, was {"1":[2,5]}'],
    [{ step: 2, loss: 0.3 }, 'step 2, expert_load: absent, was {"1":[2,5]}'],
  ])('are different from the last bit of a number on', (line, where) => {
    expect(compare(played(lines), played([lines[0], line]))).toEqual({ kind: 'different', where });
  });

  it('are different where one is shorter, ends elsewhere or fails', () => {
    const failed: Played = { name: 'run', failure: 'no room' };
    const kinds = [
      compare(played(lines), played(lines.slice(1))),
      compare(played(lines, { params_digest: 'a' }), played(lines, { params_digest: 'b' })),
      compare(played(lines), failed),
      compare(failed, played(lines)),
    ].map((verdict) => verdict.kind);
    expect(kinds).toEqual(['different', 'different', 'different', 'different']);
    expect(compare(failed, failed)).toEqual({ kind: 'left out', why: 'no room' });
  });
});

it('a revision lies beside the working tree with its packages, and a player where it had none', () => {
  const repository = join(root, 'repository');
  mkdirSync(join(repository, 'node_modules'), { recursive: true });
  execFileSync('git', ['init', '--quiet', repository]);
  for (const name of ['package-lock.json', 'number.txt']) writeFileSync(join(repository, name), '1');
  writeFileSync(join(repository, '.gitignore'), 'node_modules\n.cache\n');
  git(repository, 'add', '.');
  git(repository, '-c', 'user.name=test', '-c', 'user.email=test@localhost', 'commit', '--quiet', '-m', 'one');
  mkdirSync(join(repository, 'test/replay'), { recursive: true });
  for (const file of ['player.ts', 'runs.ts']) writeFileSync(join(repository, 'test/replay', file), '');
  writeFileSync(join(repository, 'number.txt'), '2');

  const folder = checkOut(repository, 'HEAD');
  expect(checkOut(repository, git(repository, 'rev-parse', 'HEAD'))).toBe(folder);
  expect(readFileSync(join(folder, 'number.txt'), 'utf8')).toBe('1');
  expect(lstatSync(join(folder, 'node_modules')).isSymbolicLink()).toBe(true);
  expect(readFileSync(join(folder, 'test/replay/player.ts'), 'utf8')).toBe('');
  expect(() => checkOut(repository, 'nothing')).toThrow('git rev-parse');
});

it('programs differ by their texts, and not by what onnxruntime is given', () => {
  const folders = ['before', 'after'].map((name) => join(root, name));
  for (const folder of folders) {
    mkdirSync(folder);
    writeFileSync(join(folder, 'layer.wat'), '(module)\n');
    writeFileSync(join(folder, 'layer.onnx'), folder);
  }
  const [before, after] = folders;
  expect(diffPrograms(before, after)).toEqual({ programs: 1, text: '' });
  writeFileSync(join(after, 'layer.wat'), '(module $other)\n');
  expect(diffPrograms(before, after).text).toContain('\n-(module)\n+(module $other)\n');
});
