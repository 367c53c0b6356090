/**
 * Whatever becomes of tokens past capacity, a run of real workers and nodes draws one curve, and ends with the same
 * parameters. What meshes in one process do is in `test/actors/mixture_meshes.test.ts`.
 */
// @module-tag nats-server
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bitsOf, RunFolder, type Played, type Settings } from './run_kit.ts';

const folder = new RunFolder();
afterAll(() => folder[Symbol.dispose]());

const policies = {
  drop: { 'moe.capacity_factor': 0.75 },
  spill: { 'moe.capacity_factor': 1, 'moe.top_k': 2, 'moe.overflow': 'spill' },
  dropless: { 'moe.top_k': 2, 'moe.overflow': 'dropless' },
};

/** Four workers have a group of experts each, fewer have two groups. */
const onWorkers = (nodes: number, workers: number): Settings => ({
  'cluster.nats.url': nodes > 1 ? 'auto' : 'none',
  'cluster.nodes': nodes,
  'cluster.workers_per_node': workers,
  'parallelism.expert_parallel': nodes * workers === 4 ? 4 : 2,
});

describe.each(Object.entries(policies))('%s', (policy, settings) => {
  const playOn = (nodes: number, workers: number): Promise<Played> =>
    folder.play({ 'training.steps': 3, ...settings, ...onWorkers(nodes, workers) });
  let alone: Played;
  beforeAll(async () => {
    alone = await playOn(1, 1);
  });

  it('accounts for every choice', () => {
    expect(alone.curve).toHaveLength(3);
    for (const { routed, processed, spilled, dropped } of alone.curve) {
      expect(Number(processed) + Number(spilled) + Number(dropped)).toBe(routed);
      expect(Number(spilled) > 0).toBe(policy === 'spill');
      expect(Number(dropped) > 0).toBe(policy !== 'dropless');
    }
  });

  it.each([
    [1, 2],
    [1, 4],
    [2, 1],
    [2, 2],
    [4, 1],
  ])('on %i nodes of %i workers is the bits of one worker', async (nodes, workers) => {
    const spread = await playOn(nodes, workers);
    expect(spread.outcome.status).toBe('done');
    expect(bitsOf(spread)).toEqual(bitsOf(alone));
  });
});
