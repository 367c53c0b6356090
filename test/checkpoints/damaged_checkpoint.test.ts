/** Damage of every kind is found when a checkpoint is opened, refused by name, and the one before it is used. */
import { readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CheckpointStore, DamagedCheckpoint, NoCheckpoint } from '../../src/checkpoints/index.ts';
import { forge, rejection, scratchFolder, write } from './scratch.ts';

const shard = { sha256: '0'.repeat(64), bytes: 1, tensors: [] };

describe('a damaged checkpoint', () => {
  it.each([
    ['a flipped bit', flipBit, 'stage-0.safetensors: its content is not what its manifest says'],
    [
      'a shard cut short',
      (at: string): void => truncateSync(join(at, 'stage-0.safetensors'), 40),
      'stage-0.safetensors: it has 40 bytes',
    ],
    [
      'a shard of another run',
      (at: string): void => renameSync(join(at, 'expert-0.safetensors'), join(at, 'stage-0.safetensors')),
      'expert-0.safetensors: it is missing',
    ],
    ['no manifest', (at: string): void => rmSync(join(at, 'manifest.json')), 'manifest.json: it is missing'],
    [
      'half a manifest',
      (at: string): void => truncateSync(join(at, 'manifest.json'), 90),
      'manifest.json: it is not JSON',
    ],
    [
      'a manifest of a later version',
      (at: string): void => edit(at, '"version": 2', '"version": 3'),
      'manifest.json: its version is 3, known are 1 and 2',
    ],
    [
      'a manifest with a shard elsewhere',
      (at: string): void => forge(at, { shards: [{ ...shard, file: '../x.safetensors' }] }),
      'manifest.json: shards.0.file: ',
    ],
    [
      'a manifest whose digest was taken away',
      (at: string): void => edit(at, /,\n {2}"digest": .*/, ''),
      'manifest.json: its content is not what its digest says',
    ],
    [
      'a manifest that claims to be of the version without a digest',
      (at: string): void => edit(at, '"version": 2', '"version": 1'),
      'manifest.json: it has a digest, which version 1 has not',
    ],
    [
      'a manifest of another step',
      (at: string): void => forge(at, { step: 201 }),
      'its manifest is that of step-000201.g1',
    ],
  ])('refuses a checkpoint with %s by name, and goes to the one before it', async (_, damage, reason) => {
    const store = await CheckpointStore.forWriting(scratchFolder());
    await write(store, 100, 1);
    await write(store, 200, 1);
    damage(join(store.dir, 'step-000200.g1'));
    const error = await rejection(store.open(200));
    expect(error).toBeInstanceOf(DamagedCheckpoint);
    expect(error).toHaveProperty('message', expect.stringContaining('step-000200.g1'));
    expect(error).toHaveProperty('message', expect.stringContaining(reason));
    expect(error).toHaveProperty(
      'message',
      expect.stringMatching(/; remove that (checkpoint|folder) to use (the one before it|an earlier checkpoint)$/),
    );
    const { checkpoint, refused } = await store.openNewestValid();
    expect(checkpoint.name).toEqual({ step: 100, gen: 1 });
    expect(refused).toEqual([error]);
  });

  it('names every refusal where no checkpoint is whole', async () => {
    const store = await CheckpointStore.forWriting(scratchFolder());
    for (const step of [100, 200]) {
      await write(store, step, 1);
      flipBit(join(store.dir, `step-000${step}.g1`));
    }
    const error = await rejection(store.openNewestValid());
    expect(error).toBeInstanceOf(NoCheckpoint);
    expect(error).toHaveProperty(
      'message',
      expect.stringMatching(/all are refused: damaged checkpoint: .*step-000200\.g1.* \(and 1 more\); start a new run/),
    );
  });

  it('refuses a broken pointer by name', async () => {
    const store = await CheckpointStore.forWriting(scratchFolder());
    await write(store, 100, 1);
    for (const text of [
      '{',
      '{"version":1,"checkpoint":"../elsewhere"}',
      '{"version":2,"checkpoint":"step-000100.g1"}',
    ]) {
      writeFileSync(join(store.dir, 'latest.json'), text);
      const error = await rejection(store.open('latest'));
      expect(error).toBeInstanceOf(DamagedCheckpoint);
      expect(error).toHaveProperty('path', join(store.dir, 'latest.json'));
    }
    expect((await store.openNewestValid()).checkpoint.name.step).toBe(100);
  });
});

function flipBit(folder: string): void {
  const path = join(folder, 'stage-0.safetensors');
  const bytes = readFileSync(path);
  bytes[bytes.length - 2] ^= 4;
  writeFileSync(path, bytes);
}

function edit(folder: string, from: string | RegExp, to: string): void {
  const path = join(folder, 'manifest.json');
  writeFileSync(path, readFileSync(path, 'utf8').replace(from, to));
}
