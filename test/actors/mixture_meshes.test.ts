/** Whatever becomes of tokens past capacity, a run draws one curve on every mesh, and accounts for every choice in every step. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { play, smallTopology, type Played } from './kit.ts';

const root = mkdtempSync(join(tmpdir(), 'troupe-meshes-'));
let count = 0;
afterAll(() => rmSync(root, { recursive: true, force: true }));

const policies = {
  drop: { 'moe.capacity_factor': 0.75, 'moe.min_capacity': 1 },
  spill: { 'moe.capacity_factor': 1, 'moe.min_capacity': 1, 'moe.top_k': 2, 'moe.overflow': 'spill' },
  dropless: { 'moe.top_k': 2, 'moe.overflow': 'dropless', 'moe.score_order': 'topk_softmax' },
};

const meshes = [1, 2, 4].flatMap((ep) =>
  [1, 2].flatMap((pp) =>
    [1, 2].map((dp) => ({
      'parallelism.expert_parallel': ep,
      'parallelism.pipeline_parallel': pp,
      'parallelism.data_parallel': dp,
      'parallelism.micro_batches': 4 / dp,
    })),
  ),
);

const outcomeOf = ({ curve, digest, evalLoss }: Played) => ({ curve, digest, evalLoss });

describe.each(Object.entries(policies))('%s', (policy, settings) => {
  const [first, ...others] = meshes;
  const played = (mesh: (typeof meshes)[number]): Promise<Played> =>
    play(smallTopology({ ...settings, 'training.steps': 3, ...mesh }), { directory: join(root, String(count++)) });
  let alone: Played;
  beforeAll(async () => {
    alone = await played(first);
  });

  it('accounts for every choice', () => {
    const k = policy === 'drop' ? 1 : 2;
    for (const { routed, processed, spilled, dropped, expert_load } of alone.curve) {
      // Two layers of 8 x 16 tokens.
      expect(routed).toBe(2 * 8 * 16 * k);
      expect(processed + spilled + dropped).toBe(routed);
      expect(spilled > 0).toBe(policy === 'spill');
      expect(dropped > 0).toBe(policy !== 'dropless');
      const load = Object.values(expert_load).flat();
      expect(load.reduce((sum, n) => sum + n, 0)).toBe(routed);
    }
  });

  it.each(others)('is the same bits with %j', async (mesh) => {
    expect(outcomeOf(await played(mesh))).toEqual(outcomeOf(alone));
  });
});
