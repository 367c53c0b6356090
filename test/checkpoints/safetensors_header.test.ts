/** Headers and files that lie: each is refused by name, with what is wrong and what to do, before any tensor is read. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DamagedCheckpoint, SafetensorsFile } from '../../src/checkpoints/index.ts';
import { rejection, scratchFolder } from './scratch.ts';

const entry = (dtype: string, shape: unknown, begin: number, end: number): object => ({
  dtype,
  shape,
  data_offsets: [begin, end],
});

function file(header: string | object, dataBytes: number, claimedBytes?: bigint): Uint8Array {
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(claimedBytes ?? BigInt(json.length));
  return Buffer.concat([length, json, Buffer.alloc(dataBytes)]);
}

const one = { a: entry('F32', [2], 0, 8) };

describe('a damaged safetensors file', () => {
  it.each([
    ['of five bytes', file('', 0).subarray(0, 5), 'it has only 5 bytes'],
    ['with a header longer than the file', file(one, 8, 1000n), 'its header claims 1000 bytes, the file has 70 in all'],
    [
      'with an absurd header length',
      file(one, 8, 2n ** 63n),
      'its header claims 9223372036854775808 bytes, no safetensors header is so long',
    ],
    ['whose header is cut short', file(one, 8, 20n), 'its header is not JSON'],
    [
      'whose header is not UTF-8',
      Buffer.from([...file('{"\xff":1}', 0)].map((b) => (b === 0xc3 ? 0xff : b))),
      'its header is not JSON',
    ],
    ['whose header is no object', file('[]', 0), 'its header is no object'],
    ['with an entry that is none', file({ a: 3 }, 0), "the entry of 'a' is malformed: "],
    ['with a negative extent', file({ a: entry('F32', [-1], 0, 4) }, 4), "the entry of 'a' is malformed: "],
    ['with a fractional offset', file({ a: entry('U8', [1], 0.5, 1.5) }, 2), "the entry of 'a' is malformed: "],
    ['with metadata that is no text', file({ __metadata__: { a: 1 } }, 0), "'__metadata__' is malformed: "],
    [
      'with an unknown dtype',
      file({ a: entry('F8_E4M3', [1], 0, 1) }, 1),
      "tensor 'a' has dtype 'F8_E4M3', known are F32, BF16, F16, I32, I64, U8",
    ],
    [
      'with a dtype that is a property of objects',
      file({ a: entry('toString', [1], 0, 1) }, 1),
      "tensor 'a' has dtype 'toString'",
    ],
    [
      'whose shape and bytes disagree',
      file({ a: entry('F32', [3], 0, 8) }, 8),
      "tensor 'a' has 8 bytes, its shape [3] of F32 needs 12",
    ],
    ['whose tensor ends before it begins', file({ a: entry('U8', [0], 4, 0) }, 4), "tensor 'a' has -4 bytes"],
    [
      'cut short in its data',
      file(one, 7),
      "tensor 'a' ends at byte 8 of the data, the file ends at 7: it is cut short",
    ],
    [
      'whose tensors overlap',
      file({ ...one, b: entry('F32', [2], 4, 12) }, 12),
      "tensor 'b' begins at byte 4, inside the tensor before it",
    ],
    [
      'with a gap',
      file({ ...one, b: entry('U8', [1], 9, 10) }, 10),
      "bytes 8 to 9 before tensor 'b' belong to no tensor",
    ],
    ['with bytes after the last tensor', file(one, 9), 'its last 1 bytes belong to no tensor'],
  ])('%s is refused', async (_, bytes, reason) => {
    const path = join(scratchFolder(), 'shard.safetensors');
    writeFileSync(path, bytes);
    const error = await rejection(SafetensorsFile.open(path));
    expect(error).toBeInstanceOf(DamagedCheckpoint);
    const remedy = '; use another checkpoint, or fetch or export that file again';
    expect(error).toHaveProperty('message', expect.stringContaining(`damaged checkpoint: ${path}: ${reason}`));
    expect(error).toHaveProperty('message', expect.stringContaining(remedy));
    expect(error).toHaveProperty('message', expect.not.stringContaining('\n'));
  });
});
