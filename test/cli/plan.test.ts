/** `troupe plan` as a user sees it: its exit code, what it warns of, and nothing beside what it prints. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { idleWorkers } from '../../src/cli/idle_workers.ts';
import { troupeHere } from './here.ts';
import { planOf, two } from './planned.ts';

const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'troupe-plan-cli-'));
  writeFileSync(join(folder, 'two.yaml'), two);
});
afterAll(() => rmSync(folder, { recursive: true }));

function troupe(...args: string[]): { stdout: string; stderr: string; exitCode: number | null } {
  const env = { ...process.env, NO_COLOR: '1', NODE_OPTIONS: '' };
  const { stdout, stderr, status } = spawnSync(process.execPath, [main, ...args], {
    cwd: folder,
    encoding: 'utf8',
    env,
  });
  return { stdout, stderr, exitCode: status };
}

describe('workers without a role are warned of, with the keys that give them one', () => {
  test.each([
    [two, null],
    [
      two.replace('workers_per_node: 2', 'workers_per_node: 16'),
      '10 of 16 workers have nothing to do; raise parallelism.data_parallel (2) or parallelism.expert_parallel (2), or take fewer workers: cluster.nodes, cluster.workers_per_node',
    ],
    [
      'name: dense\ncluster: { workers_per_node: 2 }\nmodel: { architecture: transformer }\n',
      '1 of 2 workers has nothing to do; raise parallelism.data_parallel (1), or take fewer workers: cluster.nodes, cluster.workers_per_node',
    ],
  ])('%#', async (text, warning) => {
    expect(idleWorkers(await planOf(text))).toBe(warning);
  });

  test('above the verdict', async () => {
    const fewRoles = ['parallelism.data_parallel=1', 'parallelism.expert_parallel=1', 'model.num_hidden_layers=2'];
    const idle = ['cluster.workers_per_node=3', ...fewRoles].flatMap((key) => ['--set', key]);
    const { stdout } = await troupeHere(folder, ['plan', 'two.yaml', ...idle]);
    expect(stdout.trimEnd().split('\n').slice(-2)).toEqual([
      expect.stringMatching(/^1 of 3 workers has nothing to do; raise /),
      expect.stringMatching(/^fits: /),
    ]);
  });
});

describe('the command', () => {
  test('ends with 0 where the run fits, and with 1 where it does not', () => {
    const fitting = troupe('plan', 'two.yaml');
    expect(fitting).toMatchObject({ stderr: '', exitCode: 0 });
    expect(fitting.stdout.trimEnd().split('\n').at(-1)).toMatch(/^fits: /);
    expect(fitting.stdout).toMatch(
      /^A step computes for [\d.e-]+ s at least: .+ GFLOP of .+, at \d+ GFLOP\/s a thread\.$/m,
    );
    const lacking = troupe('plan', 'two.yaml', '--set', 'cluster.memory_per_worker=1MiB', '--json');
    expect(lacking).toMatchObject({ stderr: '', exitCode: 1 });
    expect(JSON.parse(lacking.stdout)).toMatchObject({ fits: false });
  });

  test('ends with 2 where the run would begin with a model that is not there', async () => {
    const line = `troupe: no checkpoint to open in ${join(folder, 'base')}: there is no such folder; start a new run or name another directory\n`;
    expect(await troupeHere(folder, ['plan', 'two.yaml', '--set', 'from=base'])).toEqual({
      stdout: '',
      stderr: line,
      exitCode: 2,
    });
  });

  test('writes no colours and no files', () => {
    const { stdout } = troupe('plan', 'two.yaml');
    expect(stdout).not.toContain('\u001b');
    expect(readdirSync(folder)).toEqual(['two.yaml']);
  });
});
