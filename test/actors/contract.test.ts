/** The numbers contract of a training run: one curve, whatever the mesh's placement, the arrival order or the history. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { MemoryDecisionStore } from '../../src/actors/training/decision_store.ts';
import { checkIdentity } from '../../src/run/identity.ts';
import { CheckpointStore, readTensors, type TensorBytes } from '../../src/checkpoints/index.ts';
import { storedNames } from '../../src/actors/parameters/rules.ts';
import { castOf, holdersOf } from '../../src/actors/placement/cast.ts';
import { CpuDevice } from '../../src/kernels/cpu/device.ts';
import { FaultPlan } from '../../src/runtime/testing/index.ts';
import type { Topology } from '../../src/topology/index.ts';
import { readRemotely } from '../kernels/remote_device.ts';
import { families } from './families.ts';
import { drawn, play, smallTopology, type Played } from './kit.ts';

const root = mkdtempSync(join(tmpdir(), 'troupe-contract-'));
let count = 0;
const directory = (): string => join(root, String(count++));
afterAll(() => rmSync(root, { recursive: true, force: true }));

let alone: Played;
const fourMicrobatches = { 'parallelism.micro_batches': 4 };
beforeAll(async () => {
  alone = await play(smallTopology(fourMicrobatches), { directory: directory() });
});

const outcomeOf = ({ curve, digest, evalLoss }: Played) => ({ curve, digest, evalLoss });

describe('a curve', () => {
  it('falls, and every step keeps the rows it routed', () => {
    expect(alone.curve).toHaveLength(4);
    expect(alone.curve.at(-1)!.loss).toBeLessThan(alone.curve[0].loss);
    for (const line of alone.curve) {
      expect(line.routed).toBe(2 * 8 * 16);
      expect(line.processed + line.spilled + line.dropped).toBe(line.routed);
      expect(
        Object.values(line.expert_load)
          .flat()
          .reduce((sum, n) => sum + n, 0),
      ).toBe(line.routed);
    }
    expect(alone.leasedFrames).toBe(0);
  });

  it.each([
    ['2 replicas of 2 microbatches', { data_parallel: 2, micro_batches: 2 }],
    ['4 replicas of 1 microbatch', { data_parallel: 4, micro_batches: 1 }],
    ['experts in 2 groups', { expert_parallel: 2, micro_batches: 4 }],
    ['experts in 4 groups, 2 replicas', { expert_parallel: 4, data_parallel: 2, micro_batches: 2 }],
    ['a pipeline of 2 stages', { pipeline_parallel: 2, micro_batches: 4 }],
    [
      'a pipeline of 4 stages, 2 replicas, 2 groups',
      { pipeline_parallel: 4, data_parallel: 2, expert_parallel: 2, micro_batches: 2 },
    ],
  ])('is the same bits with %s', async (_name, parallelism) => {
    const settings = Object.fromEntries(
      Object.entries(parallelism).map(([key, value]) => [`parallelism.${key}`, value]),
    );
    const other = await play(smallTopology(settings), { directory: directory() });
    expect(outcomeOf(other)).toEqual(outcomeOf(alone));
  });

  it.each([1, 2, 3, 4, 5])('is the same bits with messages shuffled by seed %i', async (seed) => {
    const often = { times: Infinity, probability: 0.25 };
    const filter = new FaultPlan(seed, [
      { fault: { kind: 'reorder', ms: 1 }, ...often },
      { fault: { kind: 'delay', ms: 2 }, ...often },
    ]);
    const settings = {
      'parallelism.data_parallel': 2,
      'parallelism.micro_batches': 2,
      'parallelism.expert_parallel': 2,
    };
    const other = await play(smallTopology(settings), { directory: directory(), system: { filter } });
    expect(outcomeOf(other)).toEqual(outcomeOf(alone));
    expect(filter.events.length).toBeGreaterThan(100);
  });

  it('is the same bits by a device that gives copies of its memory, in a later turn', async () => {
    const read = vi.spyOn(CpuDevice.prototype, 'read').mockImplementation(readRemotely);
    const settings = { 'parallelism.data_parallel': 2, 'parallelism.micro_batches': 2 };
    const other = await play(smallTopology(settings), { directory: directory() });
    expect(outcomeOf(other)).toEqual(outcomeOf(alone));
    expect(read.mock.calls.length).toBeGreaterThan(100);
    read.mockRestore();
  });

  it('is another one with another seed', async () => {
    const other = await play(smallTopology({ ...fourMicrobatches, 'training.seed': 4 }), { directory: directory() });
    expect(other.digest).not.toBe(alone.digest);
  });
});

describe('a model whose layers differ in width', () => {
  const widths = { 'model.intermediate_size': [64, 32, 48, 16] };
  let whole: Played;
  beforeAll(async () => {
    whole = await play(smallTopology({ ...fourMicrobatches, ...widths }), { directory: directory() });
  });

  it('trains', () => {
    expect(whole.curve.at(-1)!.loss).toBeLessThan(whole.curve[0].loss);
    expect(whole.digest).not.toBe(alone.digest);
  });

  it.each([
    [{ pipeline_parallel: 2, micro_batches: 4 }],
    [{ pipeline_parallel: 4, data_parallel: 2, expert_parallel: 2, micro_batches: 2 }],
  ])('is the same bits with %j', async (mesh) => {
    const settings = Object.fromEntries(Object.entries(mesh).map(([key, value]) => [`parallelism.${key}`, value]));
    const other = await play(smallTopology({ ...settings, ...widths }), { directory: directory() });
    expect(outcomeOf(other)).toEqual(outcomeOf(whole));
  });
});

describe('a resumed run', () => {
  it.each([1, 2, 3])('that stopped after step %i draws the curve of the undisturbed one', async (stopAfter) => {
    const where = directory();
    const first = await play(smallTopology(fourMicrobatches), { directory: where, stopAfter });
    const { checkpoint } = await new CheckpointStore(where).openNewestValid();
    expect(checkpoint.name).toEqual({ step: stopAfter, gen: 1 });
    const second = await play(smallTopology(fourMicrobatches), { directory: where, from: checkpoint });
    expect([...first.curve, ...second.curve]).toEqual(alone.curve);
    expect(second.digest).toBe(alone.digest);
  });

  it('goes on from a checkpoint with a file for each actor, as older releases wrote it, to the same bits', async () => {
    const [where, older] = [directory(), directory()];
    const topology = smallTopology(fourMicrobatches);
    const first = await play(topology, { directory: where, stopAfter: 2 });
    const { checkpoint } = await new CheckpointStore(where).openNewestValid();
    const { runId, updateStep, numericsClass, corpusDigest, model, extra, ...manifest } = checkpoint.manifest;
    const writer = await (await CheckpointStore.forWriting(older)).begin(2, 1);
    for (const { address, share } of holdersOf(castOf(await drawn(topology)))) {
      const names = share.holdings.flatMap((holding) => storedNames(holding, share.optimizer));
      const tensors: TensorBytes[] = [];
      for await (const tensor of readTensors(checkpoint, names)) tensors.push(tensor);
      await writer.shard(address.replaceAll('/', '-'), tensors);
    }
    await writer.commit({ runId, updateStep, numericsClass, corpusDigest, model, topology: manifest.topology, extra });
    const { checkpoint: from } = await new CheckpointStore(older).openNewestValid();
    expect(manifest.shards.map(({ file }) => file)).toEqual([
      'run-experts-l1-g0.safetensors',
      'run-experts-l3-g0.safetensors',
      'run-stage-p0-d0.safetensors',
    ]);
    expect(from.manifest.shards).toHaveLength(1 + 2 + 2 * 4);
    const second = await play(topology, { directory: older, from });
    expect([...first.curve, ...second.curve]).toEqual(alone.curve);
    expect(second.digest).toBe(alone.digest);
  });

  it.each([
    [
      { data_parallel: 2, micro_batches: 2 },
      { data_parallel: 1, micro_batches: 4 },
    ],
    [
      { data_parallel: 1, micro_batches: 4, pipeline_parallel: 2 },
      { data_parallel: 4, micro_batches: 1, expert_parallel: 2 },
    ],
  ])('begun on the mesh %j goes on to the same bits on %j', async (before, after) => {
    const on = (mesh: object): Topology =>
      smallTopology(Object.fromEntries(Object.entries(mesh).map(([key, value]) => [`parallelism.${key}`, value])));
    const where = directory();
    const first = await play(on(before), { directory: where, stopAfter: 2 });
    const { checkpoint } = await new CheckpointStore(where).openNewestValid();
    expect(() => checkIdentity(checkpoint, { topology: on(after), sublayersDigest: null })).not.toThrow();
    const second = await play(on(after), { directory: where, from: checkpoint });
    expect([...first.curve, ...second.curve]).toEqual(alone.curve);
    expect(second.digest).toBe(alone.digest);
  });

  it('replays recorded decisions and judges only new steps', async () => {
    const decisions = new MemoryDecisionStore();
    const skipped = { gen: 1, timeline: 0, step: 1, verdict: 'skip', updateStep: 1, lr: 0, clip: 1 } as const;
    await decisions.decide(skipped);
    const played = await play(smallTopology(fourMicrobatches), { directory: directory(), decisions });
    expect(await decisions.find(0, 1)).toEqual(skipped);
    expect(await decisions.find(0, 2)).toMatchObject({ updateStep: 2 });
    expect(played.curve.map((line) => line.step)).toEqual([1, 3, 4]);
    expect(played.curve[1]).not.toEqual(alone.curve[2]);
  });
});

describe.each(Object.entries(families))('%s, of odd widths,', (_name, topology) => {
  let whole: Played;
  beforeAll(async () => {
    whole = await play(topology(fourMicrobatches), { directory: directory() });
  });

  it('learns', () => {
    expect(whole.curve.at(-1)!.loss).toBeLessThan(whole.curve[0].loss);
  });

  it('is the same bits cut into stages, replicas and groups, with messages shuffled', async () => {
    const often = { times: Infinity, probability: 0.25 };
    const filter = new FaultPlan(1, [{ fault: { kind: 'reorder', ms: 1 }, ...often }]);
    const other = await play(topology(divided(topology({}))), { directory: directory(), system: { filter } });
    expect(outcomeOf(other)).toEqual(outcomeOf(whole));
    expect(filter.events.length).toBeGreaterThan(20);
  });

  it('goes on to the same bits on another mesh', async () => {
    const where = directory();
    const first = await play(topology(divided(topology({}))), { directory: where, stopAfter: 1 });
    const { checkpoint } = await new CheckpointStore(where).openNewestValid();
    const second = await play(topology(fourMicrobatches), { directory: where, from: checkpoint });
    expect([...first.curve, ...second.curve]).toEqual(whole.curve);
    expect(second.digest).toBe(whole.digest);
  });
});

/** A stage a layer, two replicas, and the experts of a mixture in two groups where there are any. */
const divided = ({ moe }: Topology) => ({
  'parallelism.pipeline_parallel': 4,
  'parallelism.data_parallel': 2,
  'parallelism.micro_batches': 2,
  ...(moe === undefined ? {} : { 'parallelism.expert_parallel': 2 }),
});
