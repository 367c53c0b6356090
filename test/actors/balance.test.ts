/** Balance over a microbatch, each sequence or the whole step: one loss and one gradient however the step is divided. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FaultPlan } from '../../src/runtime/testing/index.ts';
import { ranksOf } from '../../src/actors/stage/rank_part.ts';
import { drawn, play, smallTopology, type Played } from './kit.ts';

const root = mkdtempSync(join(tmpdir(), 'troupe-balance-'));
let count = 0;
afterAll(() => rmSync(root, { recursive: true, force: true }));

const meshes = [
  { micro_batches: 4 },
  { data_parallel: 2, micro_batches: 2 },
  { data_parallel: 4, micro_batches: 1 },
  { pipeline_parallel: 2, data_parallel: 2, expert_parallel: 2, micro_batches: 2 },
];

const outcomeOf = ({ curve, digest, evalLoss }: Played) => ({ curve, digest, evalLoss });

const kinds = (['local', 'sequence', 'global'] as const).flatMap((scope) =>
  (['first', 'all'] as const).map((choices) => ({ scope, choices })),
);

const played = (
  { scope, choices }: (typeof kinds)[number],
  mesh: Readonly<Record<string, number>>,
  filter?: FaultPlan,
): Promise<Played> => {
  const parallelism = Object.fromEntries(Object.entries(mesh).map(([key, value]) => [`parallelism.${key}`, value]));
  const balance = { 'moe.top_k': 2, 'moe.aux_loss': scope, 'moe.aux_loss_choices': choices, 'moe.aux_loss_coef': 1 };
  const topology = smallTopology({ 'training.steps': 3, ...balance, ...parallelism });
  return play(topology, {
    directory: join(root, String(count++)),
    ...(filter === undefined ? {} : { system: { filter } }),
  });
};

describe.each(kinds)('$scope, over $choices choices', (kind) => {
  let alone: Played;
  beforeAll(async () => {
    alone = await played(kind, meshes[0]);
  });

  it.each(meshes.slice(1))('is the same bits with %j', async (mesh) => {
    expect(outcomeOf(await played(kind, mesh))).toEqual(outcomeOf(alone));
  });
});

it.each([
  ['local', 0.01, 2],
  ['global', 0.01, 4],
  ['global', 0, 2],
])('over %s with a weight of %f has %i of four microbatches under way', async (scope, weight, most) => {
  const settings = { 'moe.aux_loss': scope, 'moe.aux_loss_coef': weight, 'parallelism.micro_batches': 4 };
  expect(ranksOf(await drawn(smallTopology(settings))).map(({ window }) => window)).toEqual([most]);
});

it('of the whole step is the same bits where messages come in another order', async () => {
  const often = { times: Infinity, probability: 0.25 };
  const filter = new FaultPlan(7, [
    { fault: { kind: 'reorder', ms: 1 }, ...often },
    { fault: { kind: 'delay', ms: 2 }, ...often },
  ]);
  const [kind, mesh] = [{ scope: 'global', choices: 'all' } as const, meshes[3]];
  expect(outcomeOf(await played(kind, mesh, filter))).toEqual(outcomeOf(await played(kind, meshes[0])));
  expect(filter.events.length).toBeGreaterThan(100);
});

it('each is another loss', async () => {
  const losses = await Promise.all(kinds.map(async (kind) => (await played(kind, meshes[0])).curve[0].aux_loss));
  expect(new Set(losses).size).toBe(kinds.length);
});
