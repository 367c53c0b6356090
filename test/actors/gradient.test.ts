/**
 * The gradient that the actors of a run compute, against finite differences of the loss that it reports. One step from
 * fresh moments leaves (1 − β₁) times the gradient in the first moment, so a checkpoint shows it.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { payload } from '../../src/actors/protocol/pass.ts';
import type { Run } from '../../src/run/run.ts';
import { CheckpointStore, float32Of, readTensors, type Checkpoint } from '../../src/checkpoints/index.ts';
import { play, smallTopology, type Curve } from './kit.ts';
import { rewrite } from './rewrite.ts';

const root = mkdtempSync(join(tmpdir(), 'troupe-gradient-'));
let count = 0;
const directory = (): string => join(root, String(count++));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Balance losses large enough to count, room for every token, and nothing that rounds or makes noise. */
const settings = {
  'training.steps': 1,
  'training.eval_interval': 0,
  'optimizer.warmup_steps': 0,
  'optimizer.grad_clip': 0,
  'parallelism.micro_batches': 4,
  // No two layers are of one width.
  'model.intermediate_size': [64, 48, 32, 80],
  'moe.top_k': 2,
  'moe.capacity_factor': 4,
  'moe.aux_loss_coef': 2,
  'moe.z_loss_coef': 1,
  'moe.jitter_eps': 0,
  'moe.dispatch_dtype': 'fp32',
};
const topology = smallTopology(settings);

/** Routers that are surer of themselves, so that a small move makes no token change its expert. */
async function sharpen(run: Run): Promise<void> {
  for (const layer of [1, 3]) {
    await rewrite(run, `run/router-l${layer}-d0`, `model.layers.${layer}.mlp.router.weight`, ({ data, shape }) =>
      payload(
        data.map((x) => 20 * x),
        shape,
      ),
    );
  }
}

let base: Curve;
let checkpoint: Checkpoint;
beforeAll(async () => {
  const where = directory();
  [base] = (await play(topology, { directory: where, tamper: sharpen })).curve;
  ({ checkpoint } = await new CheckpointStore(where).openNewestValid());
});

async function gradientOf(name: string): Promise<Float32Array> {
  for await (const tensor of readTensors(checkpoint, [`${name}.exp_avg`])) {
    return float32Of(tensor).map((moment) => moment / (1 - topology.optimizer.betas[0]));
  }
  throw new Error(`no moment of ${name}`);
}

/** All losses with one parameter moved along a direction. */
async function lossAt(address: string, name: string, direction: Float32Array, by: number): Promise<number> {
  const [{ loss, aux_loss, z_loss, expert_load }] = (
    await play(topology, {
      directory: directory(),
      tamper: async (run) => {
        await sharpen(run);
        await rewrite(run, address, name, ({ data, shape }) =>
          payload(
            data.map((x, i) => x + by * direction[i]),
            shape,
          ),
        );
      },
    })
  ).curve;
  expect(expert_load).toEqual(base.expert_load);
  return loss + aux_loss + z_loss;
}

const lengthOf = (vector: Float32Array): number => Math.sqrt(vector.reduce((sum, x) => sum + x * x, 0));

describe('the gradient of a step', () => {
  it.each([
    ['run/stage-p0-d0', 'model.embed_tokens.weight'],
    ['run/stage-p0-d0', 'model.layers.0.self_attn.q_proj.weight'],
    ['run/stage-p0-d0', 'model.layers.1.post_attention_layernorm.weight'],
    ['run/stage-p0-d0', 'model.layers.2.mlp.down_proj.weight'],
    ['run/stage-p0-d0', 'lm_head.weight'],
    ['run/router-l1-d0', 'model.layers.1.mlp.router.weight'],
    ['run/router-l3-d0', 'model.layers.3.mlp.router.weight'],
    ['run/expert-l1-e0', 'model.layers.1.mlp.experts.0.up_proj.weight'],
    ['run/expert-l3-e3', 'model.layers.3.mlp.experts.3.down_proj.weight'],
  ])('is the slope of all losses together: %s, %s', async (address, name) => {
    const gradient = await gradientOf(name);
    const length = lengthOf(gradient);
    const direction = gradient.map((x) => x / length);
    const step = 2 ** -12;
    const [up, down] = [await lossAt(address, name, direction, step), await lossAt(address, name, direction, -step)];
    expect((up - down) / (2 * step) / length).toBeCloseTo(1, 2);
  });

  it('has the norm that is reported', async () => {
    const names = [...checkpoint.fileOf.keys()].filter((name) => name.endsWith('.exp_avg'));
    let squares = 0;
    for (const name of names) squares += lengthOf(await gradientOf(name.replace(/\.exp_avg$/, ''))) ** 2;
    expect(Math.sqrt(squares) / base.grad_norm).toBeCloseTo(1, 5);
  });
});
