/** safetensors files: what is written is the format that other tools read, and what they write is read. */
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  BadTensor,
  CheckpointIo,
  SafetensorsFile,
  f32Tensor,
  float32Of,
  i32Tensor,
  nodeDisk,
  writeSafetensors,
} from '../../src/checkpoints/index.ts';
import type { TensorBytes, WrittenFile } from '../../src/checkpoints/index.ts';
import { rejection, scratchFolder } from './scratch.ts';

async function writeTo(path: string, tensors: TensorBytes[], metadata = {}): Promise<WrittenFile> {
  const file = await nodeDisk.create(path);
  try {
    return await writeSafetensors(file, tensors, metadata);
  } finally {
    await file.close();
  }
}

/** A file of another tool: entries in any order, header not padded, data not aligned. */
function foreign(path: string, header: object, data: Uint8Array): void {
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  writeFileSync(path, Buffer.concat([length, json, data]));
}

describe('safetensors', () => {
  it('writes the bytes that the format prescribes', async () => {
    const path = join(scratchFolder(), 'a.safetensors');
    const written = await writeTo(
      path,
      [
        { name: 'b', dtype: 'U8', shape: [3], data: Uint8Array.of(7, 8, 9) },
        f32Tensor('a', [1, 1], Float32Array.of(1)),
      ],
      { k: 'vvvvv' },
    );
    const bytes = readFileSync(path);
    const header =
      '{"__metadata__":{"k":"vvvvv"},"a":{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]},' +
      '"b":{"dtype":"U8","shape":[3],"data_offsets":[4,7]}}';
    const padded = header.padEnd(144);
    expect(header.length).toBe(137);
    expect(bytes.readBigUInt64LE()).toBe(144n);
    expect(bytes.subarray(8, 8 + padded.length).toString()).toBe(padded);
    expect([...bytes.subarray(8 + padded.length)]).toEqual([0, 0, 0x80, 0x3f, 7, 8, 9]);
    expect(written).toEqual({ bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') });
  });

  it('reads back every dtype, scalars, empty tensors and odd names', async () => {
    const path = join(scratchFolder(), 'a.safetensors');
    const tensors: TensorBytes[] = [
      f32Tensor('f', [2], Float32Array.of(-0, NaN)),
      { name: 'bf "quoted" ü', dtype: 'BF16', shape: [1, 2], data: Uint8Array.of(0x80, 0x3f, 0xc0, 0xbf) },
      { name: 'h', dtype: 'F16', shape: [1], data: Uint8Array.of(0, 0x3c) },
      i32Tensor('__proto__', [], Int32Array.of(-5)),
      { name: 'l', dtype: 'I64', shape: [1], data: Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0x80) },
      { name: 'u', dtype: 'U8', shape: [0, 4], data: new Uint8Array(0) },
    ];
    await writeTo(path, tensors, { format: 'troupe' });
    await using file = await SafetensorsFile.open(path);
    expect(file.header.metadata).toEqual({ format: 'troupe' });
    expect([...file.header.entries.keys()]).toEqual(['l', 'f', '__proto__', 'bf "quoted" ü', 'h', 'u']);
    for (const tensor of tensors) expect(await file.read(tensor.name)).toEqual(tensor);
  });

  it('streams tensors larger than its staging buffer, from shared memory too', async () => {
    const path = join(scratchFolder(), 'a.safetensors');
    const values = new Float32Array(new SharedArrayBuffer(4 * 700_001));
    for (let i = 0; i < values.length; i++) values[i] = i;
    const written = await writeTo(path, [
      f32Tensor('big', [700_001], values),
      f32Tensor('small', [1], Float32Array.of(3)),
    ]);
    const bytes = readFileSync(path);
    expect(written).toEqual({ bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') });
    await using file = await SafetensorsFile.open(path);
    expect(Buffer.compare((await file.read('big')).data, Buffer.from(values.buffer))).toBe(0);
    expect(float32Of(await file.read('small'))).toEqual(Float32Array.of(3));
  });

  it('reads files of other tools: any order of entries, no padding, no alignment', async () => {
    const path = join(scratchFolder(), 'model.safetensors');
    const entry = (dtype: string, shape: number[], begin: number, end: number): object => ({
      dtype,
      shape,
      data_offsets: [begin, end],
    });
    foreign(path, { z: entry('F32', [1], 1, 5), a: entry('U8', [1], 0, 1) }, Uint8Array.of(9, 0, 0, 0, 0x40));
    await using file = await SafetensorsFile.open(path);
    expect(float32Of(await file.read('z'))).toEqual(Float32Array.of(2));
    expect((await file.read('a')).data).toEqual(Uint8Array.of(9));
  });

  it('refuses to write a name twice or data that does not fit its shape, before the first byte', async () => {
    const path = join(scratchFolder(), 'a.safetensors');
    const one = f32Tensor('w', [1], Float32Array.of(1));
    expect(await rejection(writeTo(path, [one, one]))).toBeInstanceOf(BadTensor);
    expect(readFileSync(path).length).toBe(0);
    const error = await rejection(writeTo(join(scratchFolder(), 'b'), [f32Tensor('w', [2, 2], Float32Array.of(1))]));
    expect(error).toHaveProperty(
      'message',
      "tensor 'w' in a checkpoint shard: [2, 2] of F32 is 16 bytes, not 4; give the bytes of the whole tensor",
    );
  });

  it('says so where a tensor or a file is not there', async () => {
    const folder = scratchFolder();
    await writeTo(join(folder, 'a'), []);
    await using file = await SafetensorsFile.open(join(folder, 'a'));
    expect(await rejection(file.read('x'))).toBeInstanceOf(BadTensor);
    expect(await rejection(SafetensorsFile.open(join(folder, 'b')))).toBeInstanceOf(CheckpointIo);
  });
});
