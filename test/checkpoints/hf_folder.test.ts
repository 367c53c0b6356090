/** Folders as Hugging Face lays them out: which file has which tensor, and each way in which one can be wrong, in one line. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import {
  f32Tensor,
  hfFolder,
  openHfTensors,
  readHfJson,
  readTensorParts,
  readTensors,
  writeSafetensors,
  nodeDisk,
  type TensorBytes,
} from '../../src/checkpoints/index.ts';
import { rejection, scratchFolder } from './scratch.ts';

const index = 'model.safetensors.index.json';

async function write(path: string, ...tensors: TensorBytes[]): Promise<void> {
  const file = await nodeDisk.create(path);
  await writeSafetensors(file, tensors, { format: 'pt' });
  await file.close();
}

const vector = (name: string, ...values: number[]): TensorBytes =>
  f32Tensor(name, [values.length], Float32Array.from(values));

/** Two shards that both have `b`; the index says that the second's counts. */
async function sharded(): Promise<string> {
  const folder = scratchFolder();
  await write(join(folder, 'one.safetensors'), vector('a', 1), vector('b', 9));
  await write(join(folder, 'two.safetensors'), vector('b', 2), vector('c', 3));
  writeIndex(folder, { a: 'one.safetensors', b: 'two.safetensors' });
  return folder;
}

const writeIndex = (folder: string, weight_map: unknown): void =>
  writeFileSync(join(folder, index), JSON.stringify({ metadata: { total_size: 8 }, weight_map }));

it('has every tensor of its files, those of two files where the index says', async () => {
  const tensors = await openHfTensors(await sharded());
  expect([...tensors.heads.keys()].sort()).toEqual(['a', 'b', 'c']);
  const read: number[] = [];
  for await (const { data } of readTensors(tensors, ['c', 'b', 'a'])) {
    read.push(new Float32Array(data.slice().buffer)[0]);
  }
  expect(read).toEqual([3, 2, 1]);
});

it('gives a tensor in parts, of the bytes that it has as a whole', async () => {
  const folder = scratchFolder();
  const values = Float32Array.from({ length: 600_001 }, (_, i) => i);
  await write(join(folder, 'model.safetensors'), f32Tensor('long', [600_001], values), vector('none'));
  const tensors = await openHfTensors(folder);
  const lengths: number[] = [];
  const hash: Buffer[] = [];
  for await (const { parts } of readTensorParts(tensors, ['long', 'none'])) {
    for await (const part of parts) {
      lengths.push(part.length);
      hash.push(Buffer.from(part));
    }
  }
  expect(lengths).toEqual([2 ** 20, 2 ** 20, 4 * 600_001 - 2 ** 21]);
  expect(new Float32Array(new Uint8Array(Buffer.concat(hash)).buffer)).toEqual(values);
});

const cases: readonly [what: string, change: (folder: string) => void, path: string, reason: string | RegExp][] = [
  [
    'an index without a map',
    (folder) => writeIndex(folder, undefined),
    index,
    'weight_map: needs to be names of tensors with the .safetensors file of each; fetch or export it again',
  ],
  [
    'an index that leads out of the folder',
    (folder) => writeIndex(folder, { a: '../one.safetensors' }),
    index,
    'weight_map.a: needs to be names of tensors with the .safetensors file of each; fetch or export it again',
  ],
  [
    'an index that is no JSON',
    (folder) => writeFileSync(join(folder, index), '{"weight_map": '),
    index,
    /^it is no JSON: .*; fetch or export it again$/,
  ],
  [
    'an index that is no object',
    (folder) => writeFileSync(join(folder, index), '[]'),
    index,
    'it is no JSON object; fetch or export it again',
  ],
  [
    'an index that names a missing file',
    (folder) => writeIndex(folder, { a: 'one.safetensors', b: 'three.safetensors' }),
    index,
    'weight_map names three.safetensors, which is not there; fetch all files',
  ],
  [
    'an index that names a tensor of no file',
    (folder) => writeIndex(folder, { a: 'one.safetensors', d: 'two.safetensors' }),
    index,
    'weight_map has d in two.safetensors, which has none of that name; fetch or export it again',
  ],
  [
    'a shard that is cut short',
    (folder) => cut(join(folder, 'two.safetensors'), 2),
    'two.safetensors',
    /^tensor 'c' ends at byte 8 of the data, the file ends at 6: it is cut short; fetch or export it again$/,
  ],
  [
    'a header longer than its file',
    (folder) => lengthen(join(folder, 'one.safetensors')),
    'one.safetensors',
    /^its header claims \d+ bytes, the file has \d+ in all; fetch or export it again$/,
  ],
  [
    'an empty shard',
    (folder) => writeFileSync(join(folder, 'one.safetensors'), ''),
    'one.safetensors',
    'it has only 0 bytes; fetch or export it again',
  ],
];

const cut = (path: string, bytes: number): void => writeFileSync(path, readFileSync(path).subarray(0, -bytes));

function lengthen(path: string): void {
  const bytes = readFileSync(path);
  bytes.writeBigUInt64LE(bytes.readBigUInt64LE() + 1000n);
  writeFileSync(path, bytes);
}

it.each(cases)('refuses %s', async (_, change, file, reason) => {
  const folder = await sharded();
  change(folder);
  const error = await rejection(openHfTensors(folder));
  expect(error).toMatchObject({ tag: 'BadHfFolder', exitCode: 2, path: join(folder, file) });
  const message = error instanceof Error ? error.message.slice(join(folder, file).length + 2) : '';
  if (typeof reason === 'string') expect(message).toBe(reason);
  else expect(message).toMatch(reason);
});

it('refuses a folder without safetensors, and says what to do with pickled code', async () => {
  const folder = scratchFolder();
  expect(await rejection(openHfTensors(folder))).toMatchObject({
    message: `${folder}: it has no model.safetensors, and no ${index}; fetch them, or name another folder`,
  });
  writeFileSync(join(folder, 'pytorch_model.bin'), '');
  expect(await rejection(openHfTensors(folder))).toMatchObject({
    message: `${folder}: it has no model.safetensors, and no ${index}; its pytorch_model.bin is pickled code, which is not run here: save it as safetensors`,
  });
});

it('refuses a path that is no folder', () => {
  const folder = scratchFolder();
  const file = join(folder, 'file');
  writeFileSync(file, '');
  const remedy = 'name the folder of a model, with config.json and *.safetensors';
  expect(() => hfFolder(join(folder, 'none'))).toThrow(`${join(folder, 'none')}: there is no such folder; ${remedy}`);
  expect(() => hfFolder(file)).toThrow(`${file}: it is no folder; ${remedy}`);
});

it('has null for JSON that is not there', async () => {
  const folder = scratchFolder();
  expect(await readHfJson(join(folder, 'config.json'))).toBe(null);
  mkdirSync(join(folder, 'config.json'));
  expect(await rejection(readHfJson(join(folder, 'config.json')))).toMatchObject({
    tag: 'CheckpointIo',
    code: 'EISDIR',
  });
});
