/** Layers that share two matrices by turns: stages use them unlike each other, and sum their gradients all the same. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { denseTopology, play, type Played } from './kit.ts';

const root = mkdtempSync(join(tmpdir(), 'troupe-shared-'));
let count = 0;
afterAll(() => rmSync(root, { recursive: true, force: true }));

const settings = {
  'model.sublayers': join(import.meta.dirname, 'turns.ts'),
  'model.num_hidden_layers': 8,
  'model.tie_word_embeddings': true,
};
const played = (mesh: Readonly<Record<string, number>>): Promise<Played> => {
  const parallelism = Object.fromEntries(Object.entries(mesh).map(([key, value]) => [`parallelism.${key}`, value]));
  return play(denseTopology({ ...settings, ...parallelism }), { directory: join(root, String(count++)) });
};
const outcomeOf = ({ curve, digest, evalLoss }: Played) => ({ curve, digest, evalLoss });

let alone: Played;
beforeAll(async () => {
  alone = await played({ micro_batches: 4 });
});

it.each([
  // Stages of layers t s t, s t s and t s.
  { pipeline_parallel: 3, micro_batches: 4 },
  { pipeline_parallel: 3, data_parallel: 2, micro_batches: 2 },
])('draw the same bits with %j', async (mesh) => {
  expect(outcomeOf(await played(mesh))).toEqual(outcomeOf(alone));
});
