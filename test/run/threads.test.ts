/** A run over worker threads draws the curve of the run in one thread, and says what went wrong in a worker. */
import { afterAll, expect, it } from 'vitest';
import { bitsOf, RunFolder } from './run_kit.ts';

const folder = new RunFolder();
afterAll(() => folder[Symbol.dispose]());

it('is the same bits on 1, 2, 3 and 4 workers', async () => {
  const alone = await folder.play({});
  expect(alone.outcome.status).toBe('done');
  expect(alone.curve).toHaveLength(4);
  for (const workers of [2, 3, 4]) {
    const spread = await folder.play({ 'cluster.workers_per_node': workers });
    expect(bitsOf(spread)).toEqual(bitsOf(alone));
  }
});

it('says which worker has too little memory, and for what', async () => {
  const settings = { 'cluster.workers_per_node': 2, 'cluster.memory_per_worker': 2 ** 20 };
  await expect(folder.play(settings)).rejects.toThrow(/worker-[01].*no room for .*asked .* of a budget of/);
});
