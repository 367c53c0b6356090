/** A model whose head is its embedding draws one curve, wherever the two ends of it live. */
import { afterAll, expect, it } from 'vitest';
import { bitsOf, RunFolder } from './run_kit.ts';

const folder = new RunFolder();
afterAll(() => folder[Symbol.dispose]());

const tied = { 'model.tie_word_embeddings': true, 'parallelism.pipeline_parallel': 2 };

it('is the same bits on 1, 2, 3 and 4 workers, and on one stage', async () => {
  const alone = await folder.play(tied);
  expect(alone.outcome.status).toBe('done');
  for (const settings of [
    { 'cluster.workers_per_node': 2 },
    { 'cluster.workers_per_node': 3 },
    { 'cluster.workers_per_node': 4 },
    { 'parallelism.pipeline_parallel': 1 },
  ])
    expect(bitsOf(await folder.play({ ...tied, ...settings }))).toEqual(bitsOf(alone));
});
