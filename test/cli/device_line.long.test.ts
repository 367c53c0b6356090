/** What `troupe launch` says of its device: one line, unless it is the processor because nothing else was asked for. */
import { rmSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventsOf, folder, launch, prepareFolder } from './training.ts';

// No driver is shown to the command, so that there is no GPU.
for (const key of ['VK_DRIVER_FILES', 'VK_ICD_FILENAMES']) process.env[key] = '/none';

beforeAll(() => prepareFolder());
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const deviceLines = (stdout: string): string[] => stdout.split('\n').filter((line) => line.startsWith('device: '));

test('nothing is said where the topology asks for nothing', () => {
  const { stdout, exitCode } = launch('plain', '--steps', '2');
  expect(exitCode).toBe(0);
  expect(deviceLines(stdout)).toEqual([]);
  expect(eventsOf('plain')).toContainEqual(
    expect.objectContaining({ kind: 'device', device: 'cpu', reason: 'cluster.device is cpu' }),
  );
});

for (const { where, keys, tags } of [
  { where: 'in one thread', keys: [], tags: [] },
  { where: 'on two worker threads', keys: ['cluster.workers_per_node=2'], tags: [] },
  { where: 'on two nodes', keys: ['cluster.nats.url=auto', 'cluster.nodes=2'], tags: ['nats-server'] },
])
  test.skipIf(process.platform === 'darwin')(
    `auto without a GPU is the processor and says so once, ${where}`,
    { tags },
    () => {
      const runDir = where.replaceAll(' ', '-');
      const settings = ['cluster.device=auto', ...keys].flatMap((key) => ['--set', key]);
      const { stdout, exitCode } = launch(runDir, '--steps', '2', ...settings);
      expect(exitCode).toBe(0);
      const reason = 'cluster.device is auto, and there is no GPU';
      expect(deviceLines(stdout)).toEqual([`device: cpu (${reason})`]);
      const devices = eventsOf(runDir).filter(({ kind }) => kind === 'device');
      expect(devices).toHaveLength(keys.length === 0 ? 1 : 2);
      for (const each of devices) expect(each).toMatchObject({ device: 'cpu', adapter: null, reason });
    },
  );
