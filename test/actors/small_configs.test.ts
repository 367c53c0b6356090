/** The small configs, one a family, with the arms of MoE-Mamba: each trains a few steps, at sizes smaller still. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { play } from './kit.ts';
import { smallConfig, smallConfigs } from './small_configs.ts';

const root = mkdtempSync(join(tmpdir(), 'troupe-small-configs-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const tiny = {
  'model.hidden_size': 32,
  'training.steps': 3,
  'training.global_batch_size': 4,
  'training.sequence_length': 16,
  'training.eval_interval': 0,
  'optimizer.warmup_steps': 0,
  'checkpoint.interval': 0,
};

it.each(smallConfigs)('%s learns', async (_name, file, settings) => {
  const topology = smallConfig(file, { ...settings, ...tiny });
  const { curve } = await play(topology, { directory: mkdtempSync(join(root, 'run-')) });
  expect(curve).toHaveLength(3);
  expect(curve[2].loss).toBeLessThan(curve[0].loss);
  for (const { routed, processed, dropped } of curve) expect(processed + dropped).toBe(routed);
});
