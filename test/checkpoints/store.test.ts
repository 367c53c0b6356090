/** The store: complete or absent, never overwritten, pruned with care. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  CheckpointExists,
  CheckpointIo,
  CheckpointStore,
  NoCheckpoint,
  f32Tensor,
  readManifest,
} from '../../src/checkpoints/index.ts';
import { FIELDS, rejection, scratchFolder, stateOf, write } from './scratch.ts';

const names = async (store: CheckpointStore): Promise<string[]> =>
  (await store.list()).map(({ step, gen }) => `${step}.g${gen}`);

describe('checkpoint store', () => {
  it('writes shards, a manifest that describes them, and a pointer', async () => {
    const dir = join(scratchFolder(), 'run', 'checkpoints');
    const store = await CheckpointStore.forWriting(dir);
    await write(store, 100, 7);
    expect(readdirSync(dir).sort()).toEqual(['latest.json', 'step-000100.g7']);
    const folder = join(dir, 'step-000100.g7');
    expect(readdirSync(folder).sort()).toEqual(['expert-0.safetensors', 'manifest.json', 'stage-0.safetensors']);
    const shard = (file: string, tensors: string[]): object => {
      const bytes = readFileSync(join(folder, file));
      return { file, sha256: createHash('sha256').update(bytes).digest('hex'), bytes: bytes.length, tensors };
    };
    expect(await readManifest(folder)).toEqual({
      version: 2,
      step: 100,
      gen: 7,
      ...FIELDS,
      shards: [
        shard('expert-0.safetensors', ['expert.weight']),
        shard('stage-0.safetensors', ['layer.weight', 'update']),
      ],
    });
    expect(readFileSync(join(dir, 'latest.json'), 'utf8')).toBe('{"version":1,"checkpoint":"step-000100.g7"}\n');
  });

  it('lists in the order of writing, the newest first, and nothing that is no checkpoint', async () => {
    const store = await CheckpointStore.forWriting(scratchFolder());
    for (const [step, gen] of [
      [50, 1],
      [100, 1],
      [60, 2],
      [1_000_000, 2],
    ])
      await write(store, step, gen);
    for (const other of ['step-000200.g3.partial', 'step-1.g3', 'step-000300', 'notes'])
      mkdirSync(join(store.dir, other));
    expect(await names(store)).toEqual(['1000000.g2', '60.g2', '100.g1', '50.g1']);
  });

  it('takes no name whose generation a run could not go up from, and names it', async () => {
    const store = await CheckpointStore.forWriting(scratchFolder());
    await write(store, 50, 2 ** 31 - 1);
    for (const other of ['step-000200.g4294967295', 'step-99999999999999999999.g1', 'step-1.g3', 'step-000300'])
      mkdirSync(join(store.dir, other));
    writeFileSync(join(store.dir, 'step-000400.g2147483648'), '');
    mkdirSync(join(store.dir, 'notes'));
    expect(await names(store)).toEqual(['50.g2147483647']);
    expect(await store.strangers()).toEqual([
      'step-000200.g4294967295',
      'step-000300',
      'step-000400.g2147483648',
      'step-1.g3',
      'step-99999999999999999999.g1',
    ]);
  });

  it('passes over a file that has the name of a checkpoint', async () => {
    const store = await CheckpointStore.forWriting(scratchFolder());
    await write(store, 50, 1);
    writeFileSync(join(store.dir, 'step-000060.g1'), 'a file');
    const { checkpoint, refused } = await store.openNewestValid();
    expect(checkpoint.name.step).toBe(50);
    expect(refused).toEqual([
      expect.objectContaining({
        tag: 'CheckpointIo',
        message: expect.stringMatching(/step-000060\.g1.*ENOTDIR.*; remove what is in its place$/) as unknown,
      }),
    ]);
    await write(store, 70, 1);
    expect(await names(store)).toEqual(['70.g1', '60.g1', '50.g1']);
    await store.prune(1);
    expect(await names(store)).toEqual(['70.g1']);
  });

  it('is not opened for writing with a folder in the place of its pointer', async () => {
    const dir = scratchFolder();
    mkdirSync(join(dir, 'latest.json'));
    expect(await rejection(CheckpointStore.forWriting(dir))).toHaveProperty(
      'message',
      `damaged checkpoint: ${dir}/latest.json: it is a folder; remove it, the newest checkpoint is used then`,
    );
  });

  it('is not opened for writing with a file in its place', async () => {
    const dir = join(scratchFolder(), 'checkpoints');
    writeFileSync(dir, '');
    expect(await rejection(CheckpointStore.forWriting(dir))).toHaveProperty(
      'message',
      `checkpoint ${dir}: EEXIST: file already exists, mkdir '${dir}'; remove what is in its place`,
    );
  });

  it('whose pointer becomes a folder keeps the checkpoint, and says what is in the way', async () => {
    const store = await CheckpointStore.forWriting(scratchFolder());
    mkdirSync(join(store.dir, 'latest.json'));
    expect(await rejection(write(store, 50, 1))).toHaveProperty(
      'message',
      expect.stringMatching(/latest\.json: EISDIR: .*; remove what is in its place$/),
    );
    expect((await store.openNewestValid()).checkpoint.name.step).toBe(50);
  });

  it('opens the pointed one, or one of a step by its highest generation', async () => {
    const store = await CheckpointStore.forWriting(scratchFolder());
    for (const [step, gen] of [
      [50, 1],
      [100, 1],
      [50, 2],
    ])
      await write(store, step, gen);
    expect((await store.open('latest')).name).toEqual({ step: 50, gen: 2 });
    expect((await store.open(50)).name).toEqual({ step: 50, gen: 2 });
    expect((await store.open(100)).name).toEqual({ step: 100, gen: 1 });
    await store.pointAt({ step: 100, gen: 1 });
    expect((await store.open('latest')).name).toEqual({ step: 100, gen: 1 });
    rmSync(join(store.dir, 'latest.json'));
    expect((await store.open('latest')).name).toEqual({ step: 50, gen: 2 });
  });

  it('says that there is none, of a step or at all, and touches nothing by looking', async () => {
    const dir = join(scratchFolder(), 'absent');
    const store = new CheckpointStore(dir);
    expect(await store.list()).toEqual([]);
    expect(await rejection(store.open('latest'))).toBeInstanceOf(NoCheckpoint);
    expect(await rejection(store.openNewestValid())).toHaveProperty(
      'message',
      `no checkpoint to open in ${dir}: it holds none; start a new run or name another directory`,
    );
    expect(await rejection(store.open(7))).toHaveProperty(
      'message',
      expect.stringContaining('it holds none of step 7'),
    );
    expect(existsSync(dir)).toBe(false);
  });

  it('never overwrites a checkpoint that is there', async () => {
    const store = await CheckpointStore.forWriting(scratchFolder());
    await write(store, 100, 1);
    expect(await rejection(store.begin(100, 1))).toBeInstanceOf(CheckpointExists);
    const writer = await store.begin(100, 2);
    expect(await rejection(store.begin(100, 2))).toBeInstanceOf(CheckpointExists);
    await writer.shard('stage-0', stateOf({ step: 100, gen: 2 }));
    // Another writer takes the name in the meantime.
    mkdirSync(join(store.dir, 'step-000100.g2'));
    writeFileSync(join(store.dir, 'step-000100.g2', 'kept'), 'kept');
    expect(await rejection(writer.commit(FIELDS))).toBeInstanceOf(CheckpointExists);
    expect(readFileSync(join(store.dir, 'step-000100.g2', 'kept'), 'utf8')).toBe('kept');
  });

  it('leaves nothing of an abandoned checkpoint, nor of one that a crash left partial', async () => {
    const store = await CheckpointStore.forWriting(scratchFolder());
    const abandoned = await store.begin(100, 1);
    await abandoned.shard('stage-0', stateOf({ step: 100, gen: 1 }));
    await abandoned.abandon();
    await abandoned.abandon();
    expect(readdirSync(store.dir)).toEqual([]);
    const crashed = await store.begin(100, 1);
    await crashed.shard('stage-0', stateOf({ step: 100, gen: 1 }));
    expect(await rejection(store.openNewestValid())).toBeInstanceOf(NoCheckpoint);
    const again = await CheckpointStore.forWriting(store.dir);
    expect(readdirSync(store.dir)).toEqual([]);
    await write(again, 100, 1);
    expect(await names(again)).toEqual(['100.g1']);
  });

  it('takes each tensor once, and no step after its end', async () => {
    const store = await CheckpointStore.forWriting(scratchFolder());
    const writer = await store.begin(1, 1);
    await writer.shard('a', stateOf({ step: 1, gen: 1 }));
    const again = [f32Tensor('layer.weight', [1], Float32Array.of(1))];
    expect(await rejection(writer.shard('b', again))).toHaveProperty(
      'message',
      "tensor 'layer.weight' in b.safetensors: it is in a.safetensors already; give each tensor its own name",
    );
    expect(await rejection(writer.shard('../c', []))).toBeInstanceOf(RangeError);
    await writer.commit(FIELDS);
    await writer.abandon();
    expect(await rejection(writer.commit(FIELDS))).toBeInstanceOf(RangeError);
    expect((await store.open(1)).fileOf.size).toBe(2);
  });

  it.each([
    [9, []],
    [4, [10]],
    [3, [10, 20]],
    [2, [10, 20, 30]],
    [1, [10, 20, 30]],
  ])(
    'makes room before a checkpoint for what prune(%i) would remove after it, but for the last',
    async (keep, gone) => {
      const store = await CheckpointStore.forWriting(scratchFolder());
      for (const step of [10, 20, 30, 40]) await write(store, step, 1);
      const removed = await store.makeRoom(keep);
      expect(removed.map(({ step }) => step).sort((a, b) => a - b)).toEqual(gone);
      expect(await store.makeRoom(keep)).toEqual([]);
      await write(store, 50, 1);
      await store.prune(keep);
      expect((await store.list()).map(({ step }) => step)).toEqual([50, 40, 30, 20, 10].slice(0, keep));
    },
  );

  it('makes no room at the cost of the newest one that is whole', async () => {
    const store = await CheckpointStore.forWriting(scratchFolder());
    expect(await store.makeRoom(1)).toEqual([]);
    for (const step of [10, 20, 30]) await write(store, step, 1);
    writeFileSync(join(store.dir, 'step-000030.g1', 'stage-0.safetensors'), 'damaged');
    expect(await store.makeRoom(1)).toEqual([{ step: 10, gen: 1 }]);
    expect(await names(store)).toEqual(['30.g1', '20.g1']);
    writeFileSync(join(store.dir, 'step-000020.g1', 'stage-0.safetensors'), 'damaged');
    expect(await store.makeRoom(1)).toEqual([]);
  });

  it('prunes the oldest, but never the one that the pointer names', async () => {
    const store = await CheckpointStore.forWriting(scratchFolder());
    for (const step of [10, 20, 30, 40]) await write(store, step, 1);
    await store.pointAt({ step: 10, gen: 1 });
    expect(await store.prune(2)).toEqual([{ step: 20, gen: 1 }]);
    expect(await names(store)).toEqual(['40.g1', '30.g1', '10.g1']);
    await store.pointAt({ step: 40, gen: 1 });
    await store.prune(1);
    expect(readdirSync(store.dir).sort()).toEqual(['latest.json', 'step-000040.g1']);
  });

  it('says what to do where the directory cannot be made', async () => {
    const path = join(scratchFolder(), 'file');
    writeFileSync(path, '');
    const error = await rejection(CheckpointStore.forWriting(join(path, 'checkpoints')));
    expect(error).toBeInstanceOf(CheckpointIo);
    expect(error).toHaveProperty('message', expect.stringMatching(/; remove what is in its place$/));
  });
});
