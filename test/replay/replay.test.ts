/** The parts of a replay: what counts as another curve, what lies beside the working tree, and what a diff of programs is. */
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { checkOut, git } from './checkout.ts';
import { compare } from './compare.ts';
import type { Played } from './player.ts';
import { playBoth } from './players.ts';
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

describe('a revision', () => {
  const players = ['player.ts', 'runs.ts'].map((file) => `test/replay/${file}`);
  const commit = (repository: string) => {
    git(repository, 'add', '.');
    git(repository, '-c', 'user.name=test', '-c', 'user.email=test@localhost', 'commit', '--quiet', '-m', 'one');
  };
  const repositoryOf = (name: string, files: Readonly<Record<string, string>>): string => {
    const repository = join(root, name);
    mkdirSync(join(repository, 'node_modules'), { recursive: true });
    mkdirSync(join(repository, 'test/replay'), { recursive: true });
    execFileSync('git', ['init', '--quiet', repository]);
    writeFileSync(join(repository, '.gitignore'), 'node_modules\n.cache\n');
    for (const [file, text] of Object.entries(files)) writeFileSync(join(repository, file), text);
    commit(repository);
    for (const file of players) writeFileSync(join(repository, file), 'one');
    return repository;
  };

  it('lies beside the working tree with its packages, and a player where it had none', () => {
    const repository = repositoryOf('repository', { 'package-lock.json': '1', 'number.txt': '1' });
    writeFileSync(join(repository, 'number.txt'), '2');

    const folder = checkOut(repository, 'HEAD');
    expect(checkOut(repository, git(repository, 'rev-parse', 'HEAD'))).toBe(folder);
    expect(readFileSync(join(folder, 'number.txt'), 'utf8')).toBe('1');
    expect(lstatSync(join(folder, 'node_modules')).isSymbolicLink()).toBe(true);
    expect(readFileSync(join(folder, 'test/replay/player.ts'), 'utf8')).toBe('one');
    expect(() => checkOut(repository, 'nothing')).toThrow('git rev-parse');
  });

  it('gets the player of the working tree each time, but for one of its own', () => {
    const repository = repositoryOf('players', { 'package-lock.json': '1' });
    const of = (folder: string) => players.map((file) => readFileSync(join(folder, file), 'utf8'));
    const without = checkOut(repository, 'HEAD');
    commit(repository);
    for (const file of players) writeFileSync(join(repository, file), 'two');
    expect(of(checkOut(repository, 'HEAD'))).toEqual(['one', 'one']);
    expect(of(checkOut(repository, 'HEAD~1'))).toEqual(['two', 'two']);
    expect(of(without)).toEqual(['two', 'two']);
  });

  it('has its own packages where they are others, and all of them after an installation that was cut short', () => {
    const packages = { dependencies: { part: 'file:./part' } };
    const repository = repositoryOf('packages', {
      'package.json': JSON.stringify(packages),
      'package-lock.json': JSON.stringify({ lockfileVersion: 3, packages: { '': packages } }),
    });
    mkdirSync(join(repository, 'part'));
    writeFileSync(join(repository, 'part/package.json'), JSON.stringify({ name: 'part', version: '1.0.0' }));
    commit(repository);
    const folder = checkOut(repository, 'HEAD');
    const modules = join(folder, 'node_modules');
    expect(lstatSync(modules).isSymbolicLink()).toBe(true);

    writeFileSync(join(repository, 'package-lock.json'), '{}');
    checkOut(repository, 'HEAD');
    expect(readdirSync(modules)).toEqual(['.package-lock.json', 'part']);
    for (const name of readdirSync(modules)) rmSync(join(modules, name), { recursive: true });
    checkOut(repository, 'HEAD');
    expect(readdirSync(modules)).toEqual(['.package-lock.json', 'part']);
  });
});

it('where one player fails the other has ended, too, before that is told', async () => {
  const treeOf = (name: string, script: string): string => {
    const tree = join(root, name);
    mkdirSync(join(tree, 'test/replay'), { recursive: true });
    writeFileSync(join(tree, 'test/replay/player.ts'), script);
    return tree;
  };
  const folder = join(root, 'played');
  const pid = JSON.stringify(join(folder, 'before/pid'));
  const fs = "import { existsSync, readFileSync, writeFileSync } from 'node:fs';\n";
  const before = treeOf('failing', `${fs}writeFileSync(${pid}, String(process.pid));\nprocess.exitCode = 3;\n`);
  // It ends after the end of the other has been noticed.
  const waits = `
    const isThere = () => { try { return process.kill(Number(readFileSync(${pid}, 'utf8') || process.pid), 0); } catch { return false; } };
    const look = setInterval(() => {
      if (!existsSync(${pid}) || isThere()) return;
      clearInterval(look);
      writeFileSync(process.argv[2] + '/ended', '');
    }, 1);`;
  const after = treeOf('lasting', fs + waits);
  await expect(playBoth({ before, after }, folder, { programs: false, runs: [] })).rejects.toThrow(
    `the player of ${before} ended with 3`,
  );
  expect(existsSync(join(folder, 'after/ended'))).toBe(true);
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
