/** A model whose head is its embedding: one parameter, used on the first and the last stage, and one gradient of it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { payload } from '../../src/actors/protocol/pass.ts';
import { CheckpointStore, float32Of, readTensors } from '../../src/checkpoints/index.ts';
import { FaultPlan } from '../../src/runtime/testing/index.ts';
import { play, smallTopology, type Played } from './kit.ts';
import { rewrite } from './rewrite.ts';

const root = mkdtempSync(join(tmpdir(), 'troupe-tied-'));
let count = 0;
const directory = (): string => join(root, String(count++));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const embedding = 'model.embed_tokens.weight';
const tied = (parallelism: Readonly<Record<string, number>>, settings = {}) =>
  smallTopology({
    'model.tie_word_embeddings': true,
    ...Object.fromEntries(Object.entries(parallelism).map(([key, value]) => [`parallelism.${key}`, value])),
    ...settings,
  });
const outcomeOf = ({ curve, digest, evalLoss }: Played) => ({ curve, digest, evalLoss });

let alone: Played;
let where: string;
beforeAll(async () => {
  where = directory();
  alone = await play(tied({ micro_batches: 4 }), { directory: where });
});

describe('a model whose head is its embedding', () => {
  it('learns', () => {
    expect(alone.curve.at(-1)!.loss).toBeLessThan(alone.curve[0].loss);
  });

  it.each([
    ['a pipeline of 2 stages', { pipeline_parallel: 2, micro_batches: 4 }],
    ['2 replicas', { data_parallel: 2, micro_batches: 2 }],
    ['a pipeline of 2 stages, 2 replicas', { pipeline_parallel: 2, data_parallel: 2, micro_batches: 2 }],
    ['a pipeline of 3 stages, 4 replicas', { pipeline_parallel: 3, data_parallel: 4, micro_batches: 1 }],
  ])('draws the same bits with %s', async (_, parallelism) => {
    expect(outcomeOf(await play(tied(parallelism), { directory: directory() }))).toEqual(outcomeOf(alone));
  });

  it('draws the same bits with messages shuffled', async () => {
    const often = { times: Infinity, probability: 0.25 };
    const filter = new FaultPlan(4, [
      { fault: { kind: 'reorder', ms: 1 }, ...often },
      { fault: { kind: 'delay', ms: 2 }, ...often },
    ]);
    const spread = tied({ pipeline_parallel: 2, data_parallel: 2, micro_batches: 2 });
    const other = await play(spread, { directory: directory(), system: { filter } });
    expect(outcomeOf(other)).toEqual(outcomeOf(alone));
  });

  it('has it once in a checkpoint, and goes on from there on other stages', async () => {
    const stopped = directory();
    await play(tied({ micro_batches: 4 }), { directory: stopped, stopAfter: 2 });
    const { checkpoint } = await new CheckpointStore(stopped).openNewestValid();
    const names = [...checkpoint.fileOf.keys()].filter((name) => !name.includes('layers'));
    expect(names.filter((name) => !name.includes('exp_avg')).sort()).toEqual([embedding, 'model.norm.weight']);
    const resumed = await play(tied({ pipeline_parallel: 2, data_parallel: 2, micro_batches: 2 }), {
      directory: directory(),
      from: checkpoint,
    });
    expect(resumed.curve).toEqual(alone.curve.slice(2));
    expect(resumed.digest).toBe(alone.digest);
  });
});

const single = {
  'training.steps': 1,
  'training.eval_interval': 0,
  'optimizer.grad_clip': 0,
  'optimizer.warmup_steps': 0,
};

/** The first moment after one step from fresh ones: (1 − β₁) times the gradient. */
async function momentsOf(of: string, ...names: string[]): Promise<Float32Array[]> {
  const { checkpoint } = await new CheckpointStore(of).openNewestValid();
  const moments: Float32Array[] = [];
  for await (const tensor of readTensors(
    checkpoint,
    names.map((name) => `${name}.exp_avg`),
  ))
    moments.push(float32Of(tensor));
  return moments;
}

it.each([1, 2])('its gradient is that of the embedding plus that of an equal head, on %i stages', async (stages) => {
  const [together, apart] = [directory(), directory()];
  const tiedTopology = tied({ micro_batches: 4, pipeline_parallel: stages }, single);
  let values: Float32Array | null = null;
  await play(tiedTopology, {
    directory: together,
    tamper: (run) =>
      rewrite(run, 'run/stage-p0-d0', embedding, ({ data, shape }) => {
        values = data;
        return payload(data, shape);
      }),
  });
  const untied = smallTopology({ 'parallelism.micro_batches': 4, ...single });
  await play(untied, {
    directory: apart,
    tamper: (run) => rewrite(run, 'run/stage-p0-d0', 'lm_head.weight', ({ shape }) => payload(values!, shape)),
  });
  const [sum] = await momentsOf(together, embedding);
  const [ofEmbedding, ofHead] = await momentsOf(apart, embedding, 'lm_head.weight');
  const largest = sum.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  expect(largest).toBeGreaterThan(0);
  for (const [i, x] of sum.entries()) expect(Math.abs(x - (ofEmbedding[i] + ofHead[i]))).toBeLessThan(1e-6 * largest);
});
