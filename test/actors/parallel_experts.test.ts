/**
 * The example of a family of one's own: streams with several readers, and a hand-over that others steps go on beside. Its
 * gradients are the slopes of its loss, and its bits are the same wherever its parts live and whatever arrives when.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { payload } from '../../src/actors/protocol/pass.ts';
import { CheckpointStore, float32Of, readTensors, type Checkpoint } from '../../src/checkpoints/index.ts';
import type { Run } from '../../src/run/run.ts';
import { FaultPlan } from '../../src/runtime/testing/index.ts';
import { play, smallTopology, type Played } from './kit.ts';
import { rewrite } from './rewrite.ts';

const root = mkdtempSync(join(tmpdir(), 'troupe-parallel-'));
let count = 0;
const directory = (): string => join(root, String(count++));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const settings = {
  'model.sublayers': join(import.meta.dirname, '../../examples/parallel_experts.ts'),
  'moe.every_n_layers': 1,
};
const topologyOf = (more: Readonly<Record<string, unknown>>) => smallTopology({ ...settings, ...more });
const outcomeOf = ({ curve, digest, evalLoss }: Played) => ({ curve, digest, evalLoss });

let alone: Played;
beforeAll(async () => {
  alone = await play(topologyOf({ 'parallelism.micro_batches': 4 }), { directory: directory() });
});

it('learns', () => {
  expect(alone.curve.at(-1)!.loss).toBeLessThan(alone.curve[0].loss);
});

it.each([
  { data_parallel: 2, micro_batches: 2 },
  { expert_parallel: 2, micro_batches: 4 },
  { pipeline_parallel: 2, data_parallel: 2, expert_parallel: 2, micro_batches: 2 },
])('is the same bits with %j, and messages shuffled', async (mesh) => {
  const often = { times: Infinity, probability: 0.25 };
  const filter = new FaultPlan(7, [
    { fault: { kind: 'reorder', ms: 1 }, ...often },
    { fault: { kind: 'delay', ms: 2 }, ...often },
  ]);
  const parallelism = Object.fromEntries(Object.entries(mesh).map(([key, value]) => [`parallelism.${key}`, value]));
  const other = await play(topologyOf(parallelism), { directory: directory(), system: { filter } });
  expect(outcomeOf(other)).toEqual(outcomeOf(alone));
  expect(filter.events.length).toBeGreaterThan(100);
});

/** One step, with room for every token and nothing that rounds or makes noise. */
const exact = {
  'training.steps': 1,
  'training.eval_interval': 0,
  'optimizer.warmup_steps': 0,
  'optimizer.grad_clip': 0,
  'moe.capacity_factor': 4,
  'moe.jitter_eps': 0,
  'moe.dispatch_dtype': 'fp32',
};

/** Routers that are surer of themselves, so that a small move makes no token change its expert. */
async function sharpen(run: Run): Promise<void> {
  for (const layer of [0, 1, 2, 3]) {
    await scaled(run, `run/router-l${layer}-d0`, `model.layers.${layer}.mlp.router.weight`, (x) => 20 * x);
  }
}

const scaled = (run: Run, address: string, name: string, of: (x: number, i: number) => number): Promise<void> =>
  rewrite(run, address, name, ({ data, shape }) => payload(data.map(of), shape));

it.each([
  // Two readers of its output: a router and attention.
  'model.layers.1.input_layernorm.weight',
  // Behind it every layer's input has two readers too.
  'model.embed_tokens.weight',
  'model.layers.2.self_attn.o_proj.weight',
])('has gradients that are the slope of its losses: %s', async (name) => {
  const where = directory();
  const [base] = (await play(topologyOf(exact), { directory: where, tamper: sharpen })).curve;
  const { checkpoint } = await new CheckpointStore(where).openNewestValid();
  const gradient = await gradientOf(checkpoint, name);
  const length = Math.sqrt(gradient.reduce((sum, x) => sum + x * x, 0));
  const step = 2 ** -12;
  const lossAt = async (by: number): Promise<number> => {
    const moved = await play(topologyOf(exact), {
      directory: directory(),
      tamper: async (run) => {
        await sharpen(run);
        await scaled(run, 'run/stage-p0-d0', name, (x, i) => x + (by * gradient[i]) / length);
      },
    });
    const [{ loss, aux_loss, z_loss, expert_load }] = moved.curve;
    expect(expert_load).toEqual(base.expert_load);
    return loss + aux_loss + z_loss;
  };
  const slope = ((await lossAt(step)) - (await lossAt(-step))) / (2 * step);
  expect(slope / length).toBeCloseTo(1, 2);
});

async function gradientOf(checkpoint: Checkpoint, name: string): Promise<Float32Array> {
  const [beta] = smallTopology().optimizer.betas;
  for await (const tensor of readTensors(checkpoint, [`${name}.exp_avg`])) {
    return float32Of(tensor).map((moment) => moment / (1 - beta));
  }
  throw new Error(`no moment of ${name}`);
}
