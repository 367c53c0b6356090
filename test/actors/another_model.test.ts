/** A checkpoint that is not of the model at hand is refused by the key or the tensor that differs. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { payload } from '../../src/actors/protocol/pass.ts';
import { checkIdentity } from '../../src/actors/resume.ts';
import type { Troupe } from '../../src/actors/troupe.ts';
import { CheckpointStore, type Checkpoint } from '../../src/checkpoints/index.ts';
import { denseTopology, play, rewrite, smallTopology, drawn } from './kit.ts';

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

describe('a checkpoint of another model', () => {
  it.each([
    ['model.hidden_size', 64, 'model.hidden_size was 32 and is 64 now'],
    ['moe.num_experts', 2, 'moe.num_experts was 4 and is 2 now'],
    ['parallelism.micro_batches', 2, 'parallelism.micro_batches was 4 and is 2 now'],
    ['optimizer.lr', 0.5, 'optimizer.lr was 0.01 and is 0.5 now'],
    ['training.seed', 4, 'training.seed was 3 and is 4 now'],
  ])('is refused by the key that differs: %s', async (key, value, difference) => {
    const blueprint = await drawn(smallTopology({ ...settings, [key]: value }));
    expect(() => checkIdentity(finished, blueprint)).toThrow(
      `checkpoint ${finished.path}: ${difference}; resume with what the run began with`,
    );
  });

  it('is refused where there were experts and are none', async () => {
    const blueprint = await drawn(denseTopology(settings));
    expect(() => checkIdentity(finished, blueprint)).toThrow(
      'model.architecture was "switch" and is "transformer" now',
    );
  });

  it.each([
    ['training.steps', 40],
    ['checkpoint.interval', 1],
    ['cluster.memory_per_worker', '1GiB'],
  ])('is not one that differs only in %s', async (key, value) => {
    const blueprint = await drawn(smallTopology({ ...settings, [key]: value }));
    expect(() => checkIdentity(finished, blueprint)).not.toThrow();
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
    const turned = (troupe: Troupe): Promise<void> =>
      rewrite(troupe, 'run/stage-p0-d0', 'model.layers.0.mlp.up_proj.weight', ({ data }) => payload(data, [32, 64]));
    await expect(
      play(smallTopology(settings), { directory: directory(), tamper: turned, system: { logSink } }),
    ).rejects.toThrow('no tensor model.layers.0.mlp.up_proj.weight of shape [64, 32]');
  });
});
