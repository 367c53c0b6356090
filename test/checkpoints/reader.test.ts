/** Tensors by name, whichever shard holds them. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import {
  BadTensor,
  CheckpointStore,
  DamagedCheckpoint,
  SafetensorsFile,
  float32Of,
  readTensors,
  tensorNames,
} from '../../src/checkpoints/index.ts';
import type { Checkpoint, TensorBytes } from '../../src/checkpoints/index.ts';
import { rejection, scratchFolder, stateOf, write } from './scratch.ts';

async function written(): Promise<Checkpoint> {
  const store = await CheckpointStore.forWriting(scratchFolder());
  await write(store, 100, 7);
  return await store.open('latest');
}

async function all(checkpoint: Checkpoint, names: readonly string[]): Promise<TensorBytes[]> {
  const tensors: TensorBytes[] = [];
  for await (const tensor of readTensors(checkpoint, names)) tensors.push(tensor);
  return tensors;
}

describe('reading tensors', () => {
  it('finds them over all shards, in the order asked for, also twice', async () => {
    const checkpoint = await written();
    expect(tensorNames(checkpoint)).toEqual(['expert.weight', 'layer.weight', 'update']);
    const [update, expert, layer, again] = await all(checkpoint, ['update', 'expert.weight', 'layer.weight', 'update']);
    expect([layer, update]).toEqual(stateOf({ step: 100, gen: 7 }));
    expect(float32Of(expert)).toEqual(Float32Array.of(107));
    expect(again).toEqual(update);
  });

  it('refuses a name that is not there before reading any', async () => {
    const checkpoint = await written();
    const first = readTensors(checkpoint, ['update', 'nothing']).next();
    const error = await rejection(first);
    expect(error).toBeInstanceOf(BadTensor);
    expect(error).toHaveProperty('message', expect.stringContaining("tensor 'nothing' in "));
  });

  it('reads a shard only when it is its turn', async () => {
    const checkpoint = await written();
    const tensors = readTensors(checkpoint, ['expert.weight', 'update']);
    expect((await tensors.next()).value).toHaveProperty('name', 'expert.weight');
    writeFileSync(join(checkpoint.path, 'stage-0.safetensors'), 'gone bad');
    expect(await rejection(tensors.next())).toBeInstanceOf(DamagedCheckpoint);
  });

  it('has one shard open at a time, however many there are', async () => {
    const close = vi.spyOn(SafetensorsFile.prototype, 'close');
    const tensors = readTensors(await written(), ['update', 'layer.weight', 'expert.weight', 'update']);
    const closed: number[] = [];
    for await (const _tensor of tensors) closed.push(close.mock.calls.length);
    closed.push(close.mock.calls.length);
    close.mockRestore();
    expect(closed).toEqual([0, 0, 1, 2, 3]);
  });
});
