/** Shards whose tensors come while they are written: the same files, and whoever fails is told apart. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { CheckpointStore, type TensorBytes } from '../../src/checkpoints/index.ts';
import { FIELDS, rejection, scratchFolder, stateOf } from './scratch.ts';

it('takes tensors as they come, to the same bytes', async () => {
  const store = await CheckpointStore.forWriting(scratchFolder());
  const [state, writer] = [stateOf({ step: 1, gen: 1 }), await store.begin(1, 1)];
  await writer.shard('whole', state);
  const renamed = state.map((tensor) => ({ ...tensor, name: tensor.name.toUpperCase() }));
  await writer.stream('came', renamed, coming(renamed));
  await writer.commit(FIELDS);
  const [came, whole] = ['came', 'whole'].map((name) =>
    readFileSync(join(writer.path, `${name}.safetensors`), 'latin1'),
  );
  expect(came.toLowerCase()).toBe(whole.toLowerCase());
});

it('says which tensor did not come, or came in the place of another, and passes on why the source failed', async () => {
  const store = await CheckpointStore.forWriting(scratchFolder());
  const [first, second] = stateOf({ step: 1, gen: 1 });
  const heads = [first, second];
  const message = async (tensors: AsyncIterable<TensorBytes>): Promise<unknown> => {
    const writer = await store.begin(1, 1);
    const error = await rejection(writer.stream('a', heads, tensors));
    await writer.abandon();
    return error instanceof Error ? error.message : error;
  };
  expect(await message(coming([first]))).toBe(
    "tensor 'update' in a checkpoint shard: it did not come; give all that were told",
  );
  const notTold = 'it is not the one told; give the tensors in their order';
  expect(await message(coming([second, first]))).toBe(`tensor 'update' in a checkpoint shard: ${notTold}`);
  expect(await message(coming([first, second, first]))).toBe(`tensor 'layer.weight' in a checkpoint shard: ${notTold}`);
  expect(await message(coming([{ ...first, shape: [6] }]))).toBe(
    `tensor 'layer.weight' in a checkpoint shard: ${notTold}`,
  );
  expect(await message(coming([first], new RangeError('nobody is there')))).toBe('nobody is there');
});

async function* coming(tensors: readonly TensorBytes[], failure?: Error): AsyncGenerator<TensorBytes, void, void> {
  for (const tensor of tensors) yield await Promise.resolve(tensor);
  if (failure !== undefined) throw failure;
}
