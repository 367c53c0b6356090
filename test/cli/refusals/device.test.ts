/** Devices that there are not: one line that says what there is, whatever the run is to live on, and nothing is left running. */
import { rmSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventsOf, folder, prepareFolder } from '../training.ts';
import { plainly, refusalOf } from './refusal.ts';

beforeAll(() => prepareFolder());
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('a word that is no device ends with 2, before anything is begun', () => {
  const line =
    'troupe: --set cluster.device=tpu: cluster.device: found "tpu", allowed: auto, cpu, webgpu, or webgpu: and the ' +
    'number or a part of the name of an adapter; or a list with one for each node';
  expect(refusalOf(['launch', 'tiny.yaml', '--set', 'cluster.device=tpu'])).toEqual(plainly(line, 2));
});

for (const { where, keys, who, tags } of [
  { where: 'in one thread', keys: [], who: '', tags: [] },
  { where: 'on worker threads', keys: ['cluster.workers_per_node=2'], who: '', tags: [] },
  { where: 'on nodes', keys: ['cluster.nats.url=auto', 'cluster.nodes=2'], who: 'node-[01]: ', tags: ['nats-server'] },
])
  test(`an adapter that there is not ends a run ${where} with 1 and with those that there are`, { tags }, () => {
    const runDir = where.replaceAll(' ', '-');
    const settings = ['cluster.device=webgpu:No Such 9', ...keys].flatMap((key) => ['--set', key]);
    const { lines, exitCode, changed } = refusalOf([
      'launch',
      'tiny.yaml',
      '--quiet',
      '--run-dir',
      runDir,
      ...settings,
    ]);
    const line = `${who}webgpu: no adapter 'No Such 9'; there is (none;|0:) .+, or set device: cpu`;
    // Dawn itself warns of what it finds.
    expect(lines.filter((said) => !/Warning: |^ .* at |^$/.test(said))).toEqual([
      expect.stringMatching(new RegExp(`^troupe: ${line}$`)),
    ]);
    expect({ exitCode, changed }).toEqual({ exitCode: 1, changed: [] });
    expect(eventsOf(runDir).at(-1)).toMatchObject({
      kind: 'failed',
      error: expect.stringMatching(new RegExp(`^${line}$`)) as unknown,
    });
  });
