/** The small configs at their own sizes, one a family: their loss falls in a hundred short steps. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { play } from './kit.ts';
import { smallConfig, smallConfigs } from './small_configs.ts';

const root = mkdtempSync(join(tmpdir(), 'troupe-small-configs-long-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const short = {
  'training.steps': 100,
  'training.global_batch_size': 2,
  'training.sequence_length': 64,
  'training.eval_interval': 0,
  'checkpoint.interval': 0,
};
const mean = (losses: readonly number[]): number => losses.reduce((sum, loss) => sum + loss, 0) / losses.length;

it.each(smallConfigs.filter(([name, file]) => name === file))('%s', async (_name, file, settings) => {
  const topology = smallConfig(file, { ...settings, ...short });
  const { curve } = await play(topology, { directory: mkdtempSync(join(root, 'run-')) });
  const losses = curve.map(({ loss }) => loss);
  expect(losses).toHaveLength(100);
  expect(mean(losses.slice(-10))).toBeLessThan(mean(losses.slice(0, 10)) - 1);
});
