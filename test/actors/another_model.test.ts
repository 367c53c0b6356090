/** A checkpoint that is not of the model at hand is refused by the key or the tensor that differs. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { payload } from '../../src/actors/protocol/pass.ts';
import { checkIdentity } from '../../src/run/identity.ts';
import type { Run } from '../../src/run/run.ts';
import { CheckpointStore, type Checkpoint, type Json } from '../../src/checkpoints/index.ts';
import { denseTopology, play, smallTopology, drawn } from './kit.ts';
import { rewrite } from './rewrite.ts';

const root = mkdtempSync(join(tmpdir(), 'troupe-model-'));
let count = 0;
const directory = (): string => join(root, String(count++));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const settings = { 'parallelism.micro_batches': 4, 'checkpoint.interval': 2 };
/** Keeps the log of actors that are meant to fail off the screen. */
const logSink = (): void => undefined;

/** A checkpoint of the small topology after its last step. */
let finished: Checkpoint;
beforeAll(async () => {
  const where = directory();
  await play(smallTopology(settings), { directory: where });
  finished = (await new CheckpointStore(where).openNewestValid()).checkpoint;
});

/** The checkpoint as an older release would have made it, that did not know this key. */
function without(section: string, key: string): Checkpoint {
  const topology = finished.manifest.topology as Record<string, Record<string, Json>>;
  const { [key]: taken, ...rest } = topology[section];
  expect(taken).toBeDefined();
  return { ...finished, manifest: { ...finished.manifest, topology: { ...topology, [section]: rest } } };
}

describe('a checkpoint of another model', () => {
  it.each([
    ['model.hidden_size', 64, 'model.hidden_size was 32 and is 64 now'],
    ['moe.num_experts', 2, 'moe.num_experts was 4 and is 2 now'],
    ['parallelism.micro_batches', 2, 'parallelism.data_parallel x micro_batches was 4 and is 2 now'],
    ['optimizer.lr', 0.5, 'optimizer.lr was 0.01 and is 0.5 now'],
    ['optimizer.name', 'muon', 'optimizer.name was "adamw" and is "muon" now'],
    ['training.seed', 4, 'training.seed was 3 and is 4 now'],
  ])('is refused by the key that differs: %s', async (key, value, difference) => {
    const runSpec = await drawn(smallTopology({ ...settings, [key]: value }));
    expect(() => checkIdentity(finished, runSpec)).toThrow(
      `checkpoint ${finished.path}: ${difference}; resume with what the run began with`,
    );
  });

  it('is refused where there were experts and are none', async () => {
    const runSpec = await drawn(denseTopology(settings));
    expect(() => checkIdentity(finished, runSpec)).toThrow('model.architecture was "switch" and is "transformer" now');
  });

  it.each([
    ['training.steps', 40],
    ['checkpoint.interval', 1],
    ['cluster.memory_per_worker', '1GiB'],
    ['moe.credit_bytes', '1MiB'],
    ['parallelism', { data_parallel: 2, micro_batches: 2, expert_parallel: 2, pipeline_parallel: 2 }],
    ['training.loss_scale.initial', 1024],
  ])('is not one that differs only in %s', async (key, value) => {
    const runSpec = await drawn(smallTopology({ ...settings, [key]: value }));
    expect(() => checkIdentity(finished, runSpec)).not.toThrow();
  });

  it.each([
    ['optimizer', 'eps'],
    ['optimizer', 'decay_type'],
    ['optimizer', 'momentum'],
    ['moe', 'min_capacity'],
    ['training', 'precision'],
    ['recovery', 'step_retries'],
  ])('is not one from before there was a key that has its default: %s.%s', async (section, key) => {
    const runSpec = await drawn(smallTopology(settings));
    expect(() => checkIdentity(without(section, key), runSpec)).not.toThrow();
  });

  it('is refused where a key that it was made without has another value than its default', async () => {
    const runSpec = await drawn(smallTopology(settings));
    expect(() => checkIdentity(without('moe', 'z_loss_coef'), runSpec)).toThrow(
      'moe.z_loss_coef was 0 and is 0.001 now; resume with what the run began with',
    );
  });

  it('is refused where its topology has a key that this version does not know', async () => {
    const manifest = { ...finished.manifest, topology: { name: 'later', model: { hidden_sizes: [1, 2] } } };
    const runSpec = await drawn(smallTopology(settings));
    expect(() => checkIdentity({ path: 'later', manifest }, runSpec)).toThrow(
      'checkpoint later: its topology is not one this version reads (model: Unrecognized key: "hidden_sizes"); use the version that wrote it',
    );
  });

  it('whose parameters are others than it says is found out when they are in place', async () => {
    const manifest = { ...finished.manifest, extra: { params_digest: '0'.repeat(64) } };
    const from = { ...finished, manifest };
    await expect(play(smallTopology(settings), { directory: directory(), from })).rejects.toMatchObject({
      tag: 'DamagedCheckpoint',
      message: `damaged checkpoint: ${finished.path}: its parameters are not those that its params_digest is of; remove that checkpoint to use the one before it`,
    });
  });

  it('that lacks a tensor names it', async () => {
    const larger = smallTopology({ ...settings, 'model.num_hidden_layers': 6 });
    await expect(play(larger, { directory: directory(), from: finished, system: { logSink } })).rejects.toMatchObject({
      tag: 'BadTensor',
      message: expect.stringContaining(`tensor 'model.layers.4.input_layernorm.weight' in ${finished.path}`) as unknown,
    });
  });

  it('whose tensor has another size names it, with the shape that is wanted', async () => {
    const wider = smallTopology({ ...settings, 'model.intermediate_size': 80 });
    await expect(play(wider, { directory: directory(), from: finished, system: { logSink } })).rejects.toThrow(
      'no tensor model.layers.0.mlp.up_proj.weight of shape [80, 32]; it belongs to another model, check model and moe',
    );
  });

  it('whose tensor has as many elements in another shape names it', async () => {
    const turned = (run: Run): Promise<void> =>
      rewrite(run, 'run/stage-p0-d0', 'model.layers.0.mlp.up_proj.weight', ({ data }) => payload(data, [32, 64]));
    await expect(
      play(smallTopology(settings), { directory: directory(), tamper: turned, system: { logSink } }),
    ).rejects.toThrow('no tensor model.layers.0.mlp.up_proj.weight of shape [64, 32]');
  });
});
