/** The shards of a checkpoint: as many as roles, whatever the number of experts, and asked for ahead. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { castOf } from '../../../src/actors/placement/cast.ts';
import { holdersBySystem, type SystemHolders } from '../../../src/actors/placement/system_holders.ts';
import { storedNames } from '../../../src/actors/parameters/rules.ts';
import { payload } from '../../../src/actors/protocol/pass.ts';
import { roleShards, writeRoleShards } from '../../../src/actors/training/role_shards.ts';
import { CheckpointStore, float32Of, readTensors } from '../../../src/checkpoints/index.ts';
import { FIELDS } from '../../checkpoints/scratch.ts';
import { drawn, smallTopology } from '../kit.ts';

const root = mkdtempSync(join(tmpdir(), 'troupe-shards-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** The holders of a run, all roles of layer 3 on a second system. */
async function holdersOf(settings: Readonly<Record<string, unknown>>): Promise<readonly SystemHolders[]> {
  const cast = castOf(await drawn(smallTopology(settings)));
  return holdersBySystem(cast, new Map(cast.map(({ role }) => [role, role.includes('l3') ? 'b' : 'a'])));
}

it('there is one for each stage rank that answers for parameters and for each group of experts', async () => {
  const settings = { 'moe.num_experts': 64, 'parallelism.expert_parallel': 2, 'parallelism.data_parallel': 2 };
  const holders = await holdersOf(settings);
  const shards = roleShards(holders);
  expect(shards.map(({ name, system }) => `${system} ${name}`)).toEqual([
    'a run-stage-p0-d0',
    'a run-experts-l1-g0',
    'a run-experts-l1-g1',
    'b run-experts-l3-g0',
    'b run-experts-l3-g1',
  ]);
  const all = holders.flatMap((each) => each.holders.flatMap(({ share }) => share.holdings));
  const names = all.map(({ parameter }) => parameter.name);
  const written = shards.flatMap(({ holdings }) => holdings.map(({ parameter }) => parameter.name));
  expect(written.sort()).toEqual([...new Set(names)].sort());
});

it('each has all tensors of its role, a few of which are asked for while those before are written', async () => {
  const holders = await holdersOf({ 'model.hidden_size': 512, 'model.intermediate_size': 1024, 'moe.num_experts': 2 });
  const shards = roleShards(holders);
  const store = await CheckpointStore.forWriting(root);
  const writer = await store.begin(1, 1);
  const asked: string[][] = [];
  const { optimizer } = smallTopology();
  const held = new Map(
    shards.flatMap(({ holdings }) => holdings.map((holding) => [holding.parameter.name, holding] as const)),
  );
  const shapeOf = (name: string): readonly number[] => held.get(name)!.parameter.shape;
  const storedOf = (name: string): string[] => storedNames(held.get(name)!, optimizer);
  const lengthOf = (shape: readonly number[]): number => shape.reduce((product, n) => product * n, 1);
  await writeRoleShards(writer, shards, (_system, names) => {
    asked.push(names);
    const stored = names.flatMap((name) => storedOf(name).map((each) => ({ each, shape: shapeOf(name) })));
    const tensors = stored.map(({ each, shape }) => [
      each,
      payload(new Float32Array(lengthOf(shape)).fill(each.length), shape),
    ]);
    return Promise.resolve(Object.fromEntries(tensors) as Record<string, ReturnType<typeof payload>>);
  });
  await writer.commit(FIELDS);
  const { fileOf, manifest } = await store.open(1);
  expect(manifest.shards).toHaveLength(3);
  const names = [...held.keys()].flatMap(storedOf);
  expect([...fileOf.keys()].sort()).toEqual(names.sort());
  const elements = asked.map((batch) => batch.reduce((sum, name) => sum + lengthOf(shapeOf(name)), 0));
  expect(Math.max(...elements)).toBeLessThanOrEqual(2 ** 20);
  expect(asked.length).toBeGreaterThan(shards.length);
  for await (const tensor of readTensors(await store.open(1), names)) {
    expect(float32Of(tensor).every((value) => value === tensor.name.length)).toBe(true);
  }
});

it('what comes after a failure is not asked for', async () => {
  const shards = roleShards(await holdersOf({}));
  const writer = await (await CheckpointStore.forWriting(join(root, 'failed'))).begin(1, 1);
  const asked: string[] = [];
  const failing = writeRoleShards(writer, shards, (system) => {
    asked.push(system);
    return Promise.reject(new RangeError('nobody is there'));
  });
  await expect(failing).rejects.toThrow(new RangeError('nobody is there'));
  await writer.abandon();
  expect(asked).toEqual(['a']);
});
