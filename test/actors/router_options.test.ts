/** Routers of other papers train, draw one curve however the run is divided, and keep what their options say. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CheckpointStore, float32Of, readTensors } from '../../src/checkpoints/index.ts';
import { play, smallTopology, type Played } from './kit.ts';

const root = mkdtempSync(join(tmpdir(), 'troupe-routers-'));
let count = 0;
afterAll(() => rmSync(root, { recursive: true, force: true }));

type Settings = Readonly<Record<string, unknown>>;

const played = async (settings: Settings): Promise<Played & { readonly directory: string }> => {
  const directory = join(root, String(count++));
  const rest = { 'training.steps': 3, 'parallelism.micro_batches': 4, ...settings };
  return { ...(await play(smallTopology(rest), { directory })), directory };
};

const outcomeOf = ({ curve, digest, evalLoss }: Played) => ({ curve, digest, evalLoss });

const spread = {
  'parallelism.data_parallel': 2,
  'parallelism.micro_batches': 2,
  'parallelism.expert_parallel': 2,
  'parallelism.pipeline_parallel': 2,
};

const routers: Readonly<Record<string, Settings>> = {
  'sigmoid scores, normalised and scaled': {
    'moe.top_k': 2,
    'moe.score_func': 'sigmoid',
    'moe.route_norm': true,
    'moe.route_scale': 2.5,
  },
  'a choice limited to one of two groups': { 'moe.top_k': 2, 'moe.num_expert_groups': 2 },
  'a balance of each sequence, over all choices': {
    'moe.top_k': 2,
    'moe.aux_loss': 'sequence',
    'moe.aux_loss_choices': 'all',
  },
  'balance by bias': { 'moe.load_balance_coeff': 0.001, 'moe.aux_loss_coef': 0 },
  'a shared expert': { 'moe.num_shared_experts': 1 },
  'second choices at random': { 'moe.top_k': 2, 'moe.route_norm': true, 'moe.second_choice': 'random' },
  'groups of 16 tokens, slots rounded down, the surest first': {
    'moe.group_size': 16,
    'moe.capacity_rounding': 'floor',
    'moe.min_capacity': 0,
    'moe.drop_order': 'batch_prioritized',
  },
  'slots by score': { 'moe.drop_order': 'probs' },
};

describe.each(Object.entries(routers))('%s', (_name, settings) => {
  let alone: Played;
  beforeAll(async () => {
    alone = await played(settings);
  });

  it('makes another curve than the usual router', async () => {
    expect(outcomeOf(alone).digest).not.toBe((await usual).digest);
  });

  it('is the same bits divided by data, experts and layers', async () => {
    expect(outcomeOf(await played({ ...settings, ...spread }))).toEqual(outcomeOf(alone));
  });
});

let usual: Promise<Played>;
beforeAll(() => {
  usual = played({});
});

it('the size of logits is known without a z-loss, and is what the z-loss is of', async () => {
  const [without, given] = await Promise.all(
    [0, 0.5].map((coefficient) =>
      played({
        'training.steps': 1,
        'optimizer.warmup_steps': 0,
        'moe.every_n_layers': 4,
        'moe.z_loss_coef': coefficient,
      }),
    ),
  );
  const [was, is] = [without.curve[0], given.curve[0]].map(({ routing }) => routing);
  expect(is?.logit_size).toBeCloseTo(Math.sqrt(given.curve[0].z_loss / 0.5), 6);
  expect(was?.logit_size).toBeCloseTo(is?.logit_size ?? 0, 6);
  expect({ ...was, logit_size: 0 }).toEqual({ ...is, logit_size: 0 });
  expect(without.curve[0].z_loss).toBe(0);
});

it('biases add up to nothing, and have moved by their step against the load', async () => {
  const coeff = 0.001;
  const { directory, curve } = await played({
    'training.steps': 1,
    'moe.load_balance_coeff': coeff,
    'optimizer.warmup_steps': 0,
  });
  const { checkpoint } = await new CheckpointStore(directory).openNewestValid();
  const load = curve[0].expert_load['1'];
  const mean = load.reduce((sum, n) => sum + n, 0) / load.length;
  const signs = load.map((n) => Math.sign(mean - n));
  const drift = signs.reduce((sum, x) => sum + x, 0) / signs.length;
  for await (const tensor of readTensors(checkpoint, ['model.layers.1.mlp.router.expert_bias'])) {
    for (const [e, bias] of float32Of(tensor).entries()) expect(bias).toBeCloseTo(coeff * (signs[e] - drift), 7);
  }
});

it('biases count in no gradient norm', async () => {
  // Without a step to make they change nothing, and their loads are not small.
  const [without, withBias] = [await usual, await played({ 'moe.load_balance_coeff': 1e-30 })];
  expect(withBias.curve.map(({ grad_norm }) => grad_norm)).toEqual(without.curve.map(({ grad_norm }) => grad_norm));
});
