/** Muon trains, and draws one curve wherever its matrices live, also where it goes on from a checkpoint. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CheckpointStore } from '../../src/checkpoints/index.ts';
import { bitsOf, RunFolder, type Played } from './run_kit.ts';

// Mesa's driver for the processor takes minutes to optimise shaders that run for microseconds.
process.env.GALLIVM_PERF ??= 'nopt';

const folder = new RunFolder();
afterAll(() => folder[Symbol.dispose]());

const muon = { 'optimizer.name': 'muon' };

describe('a run by Muon', () => {
  let alone: Played;
  beforeAll(async () => {
    alone = await folder.play(muon);
  });

  it('learns', () => {
    const losses = alone.curve.map((line) => ('loss' in line ? Number(line.loss) : NaN));
    expect(losses).toHaveLength(4);
    expect(losses[3]).toBeLessThan(losses[0]);
  });

  it.each([
    ['on 2 workers', { 'cluster.workers_per_node': 2 }],
    ['on 3 workers, as a pipeline of 2', { 'cluster.workers_per_node': 3, 'parallelism.pipeline_parallel': 2 }],
    [
      'as one replica, experts in one group',
      { 'parallelism.data_parallel': 1, 'parallelism.micro_batches': 4, 'parallelism.expert_parallel': 1 },
    ],
  ])('has the same bits %s', async (_, settings) => {
    expect(bitsOf(await folder.play({ ...muon, ...settings }))).toEqual(bitsOf(alone));
  });

  it('has the same bits where it goes on from a checkpoint', async () => {
    const interrupt = new AbortController();
    const { runDir } = await folder.play(muon, {
      signal: interrupt.signal,
      watch: (event) => {
        if (event.kind === 'step' && event.metrics.step === 2) interrupt.abort();
      },
    });
    expect(bitsOf(await folder.play(muon, { resume: runDir }))).toEqual(bitsOf(alone));
  });

  it('keeps the momentum of hidden matrices, those of experts in their shards, and moments of all else', async () => {
    const store = new CheckpointStore(join(alone.runDir, 'checkpoints'));
    const { fileOf } = (await store.openNewestValid()).checkpoint;
    const statesOf = (name: string): string[] =>
      [...fileOf.keys()].filter((key) => key.startsWith(`${name}.`)).map((key) => key.slice(name.length + 1));
    for (const name of ['self_attn.q_proj', 'mlp.experts.3.down_proj'])
      expect(statesOf(`model.layers.1.${name}.weight`)).toEqual(['momentum']);
    for (const name of ['model.embed_tokens', 'lm_head', 'model.norm', 'model.layers.1.mlp.router'])
      expect(statesOf(`${name}.weight`)).toEqual(['exp_avg', 'exp_avg_sq']);
    const shards = [0, 3].map((expert) => fileOf.get(`model.layers.1.mlp.experts.${expert}.up_proj.weight.momentum`));
    expect(new Set(shards).size).toBe(2);
  });
});

it(
  'has the same bits on a GPU, on one worker or two, as two replicas or one',
  { tags: ['webgpu'], timeout: 180_000 },
  async () => {
    const small = {
      'model.num_hidden_layers': 1,
      'moe.every_n_layers': 1,
      'training.steps': 2,
      'training.eval_interval': 0,
    };
    const onGpu = { ...muon, ...small, 'cluster.device': 'webgpu:0' };
    const alone = await folder.play(onGpu);
    expect(alone.outcome.status).toBe('done');
    for (const settings of [
      { 'cluster.workers_per_node': 2 },
      { 'parallelism.data_parallel': 1, 'parallelism.micro_batches': 4 },
    ])
      expect(bitsOf(await folder.play({ ...onGpu, ...settings }))).toEqual(bitsOf(alone));
  },
);
