/** Two mixtures a layer, of other widths in than out and with other numbers of choices: the same bits wherever they live. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { play, smallTopology, type Played } from './kit.ts';

const root = mkdtempSync(join(tmpdir(), 'troupe-inner-'));
let count = 0;
afterAll(() => rmSync(root, { recursive: true, force: true }));

const settings = {
  'model.sublayers': join(import.meta.dirname, 'inner_mixtures.ts'),
  'model.num_hidden_layers': 2,
  'training.steps': 3,
};
const played = (mesh: Readonly<Record<string, number>>): Promise<Played> => {
  const parallelism = Object.fromEntries(Object.entries(mesh).map(([key, value]) => [`parallelism.${key}`, value]));
  return play(smallTopology({ ...settings, ...parallelism }), { directory: join(root, String(count++)) });
};
const outcomeOf = ({ curve, digest, evalLoss }: Played) => ({ curve, digest, evalLoss });

let alone: Played;
beforeAll(async () => {
  alone = await played({ micro_batches: 4 });
});

it('counts the rows of each by its name, and loses none', () => {
  for (const { routed, processed, dropped, expert_load } of alone.curve) {
    expect(Object.keys(expert_load)).toEqual(['0.up_proj', '1.up_proj', '0.down_proj', '1.down_proj']);
    // One expert a token up, two down, in each of two layers.
    expect(routed).toBe(2 * 3 * 8 * 16);
    expect(processed + dropped).toBe(routed);
  }
});

it('learns', () => {
  expect(alone.curve.at(-1)!.loss).toBeLessThan(alone.curve[0].loss);
});

it.each([
  { data_parallel: 2, micro_batches: 2 },
  { pipeline_parallel: 2, data_parallel: 2, expert_parallel: 2, micro_batches: 2 },
])('is the same bits with %j', async (mesh) => {
  expect(outcomeOf(await played(mesh))).toEqual(outcomeOf(alone));
});
