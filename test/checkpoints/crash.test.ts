/** A crash or a full disk at every single operation of a checkpoint: it is complete or absent, and the last one stays. */
import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { CheckpointIo, CheckpointStore } from '../../src/checkpoints/index.ts';
import { failingDisk } from './failing_disk.ts';
import { rejection, scratchFolder, write } from './scratch.ts';

/** The operations that writing a checkpoint of two shards takes, in order. */
const OPERATIONS = [
  'makeFolder',
  ...['create', 'write', 'sync'],
  ...['create', 'write', 'sync'],
  ...['remove', 'create', 'write', 'sync', 'rename', 'syncFolder'],
  ...['rename', 'syncFolder'],
  ...['remove', 'create', 'write', 'sync', 'rename', 'syncFolder'],
];
const COMPLETE_AFTER = OPERATIONS.indexOf('rename', OPERATIONS.indexOf('rename') + 1) + 1;

describe('writing a checkpoint', () => {
  it('syncs each file before its name, the manifest after the shards, the pointer last', async () => {
    const disk = failingDisk(Infinity, 'NONE');
    await write(await CheckpointStore.forWriting(scratchFolder(), disk), 100, 1);
    expect(disk.log).toEqual(OPERATIONS);
  });

  it.each(OPERATIONS.map((operation, i) => [i, operation] as const))(
    'survives a crash at operation %i, %s',
    async (done) => {
      const dir = scratchFolder();
      await write(await CheckpointStore.forWriting(dir), 100, 1);
      const store = await CheckpointStore.forWriting(dir, failingDisk(done, 'EIO'));
      expect(await rejection(write(store, 200, 1))).toBeInstanceOf(CheckpointIo);

      const after = await CheckpointStore.forWriting(dir);
      expect(readdirSync(dir).filter((name) => name.endsWith('.partial'))).toEqual([]);
      const { checkpoint, refused } = await after.openNewestValid();
      expect(checkpoint.name.step).toBe(done >= COMPLETE_AFTER ? 200 : 100);
      expect(refused).toEqual([]);
      expect((await after.open('latest')).manifest.shards.length).toBe(2);
      await write(after, 300, 2);
      expect((await after.open('latest')).name.step).toBe(300);
    },
  );

  it.each([
    ['ENOSPC', 'free space on that disk'],
    ['EACCES', 'give permission there'],
    ['EROFS', 'give permission there'],
    ['EIO', 'check that disk'],
  ])('says what to do at %s, and keeps what is saved', async (code, remedy) => {
    const dir = scratchFolder();
    await write(await CheckpointStore.forWriting(dir), 100, 1);
    const store = await CheckpointStore.forWriting(dir, failingDisk(2, code));
    const error = await rejection(write(store, 200, 1));
    expect(error).toBeInstanceOf(CheckpointIo);
    expect(error).toHaveProperty('code', code);
    expect(error).toHaveProperty(
      'message',
      `checkpoint ${dir}/step-000200.g1.partial/stage-0.safetensors: ${code}: injected, write; ${remedy}`,
    );
    expect((await store.open('latest')).name.step).toBe(100);
  });

  it('does not commit without a shard that failed', async () => {
    const store = await CheckpointStore.forWriting(scratchFolder(), failingDisk(2, 'ENOSPC'));
    const writer = await store.begin(1, 1);
    await rejection(writer.shard('a', []));
    const error = await rejection(
      writer.commit({
        runId: '',
        updateStep: 0,
        numericsClass: '',
        corpusDigest: '',
        model: {},
        topology: {},
        extra: {},
      }),
    );
    expect(error).toBeInstanceOf(RangeError);
    expect(error).toHaveProperty('message', expect.stringMatching(/1 shards failed or are being written; abandon it$/));
  });

  it('never leaves a half-removed checkpoint under its name when pruning fails', async () => {
    const dir = scratchFolder();
    for (const step of [10, 20]) await write(await CheckpointStore.forWriting(dir), step, 1);
    const store = await CheckpointStore.forWriting(dir, failingDisk(1, 'EIO'));
    expect(await rejection(store.prune(1))).toBeInstanceOf(CheckpointIo);
    expect(readdirSync(dir).sort()).toEqual(['latest.json', 'step-000010.g1.partial', 'step-000020.g1']);
  });
});
