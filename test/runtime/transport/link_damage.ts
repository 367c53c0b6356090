/** Damage that no receiver may take for a chunk of its link, whose gen is above 0. */

import { crc32 } from 'node:zlib';
import { ChunkField } from '../../../src/runtime/transport/link_chunk.ts';

/** Makes the checksum right again, so that the fields themselves are put to the test. */
function reseal(bytes: Buffer): Buffer {
  bytes.writeUInt32LE(crc32(bytes.subarray(ChunkField.runU32)), ChunkField.crcU32);
  return bytes;
}

const runOf = (chunk: Buffer): number => chunk.readUInt32LE(ChunkField.runU32);

type DropCounter = 'corrupt' | 'malformed' | 'foreign' | 'stale';

/** Each is told by the counter that it belongs to, and makes of a chunk, and of any number, a damaged one. */
export const DAMAGES: readonly (readonly [DropCounter, (good: Buffer, at: number) => Buffer])[] = [
  [
    'corrupt',
    (good, at) => ((good[ChunkField.runU32 + (at % (good.length - ChunkField.runU32))] ^= 1 << (at % 8)), good),
  ],
  ['malformed', (good, at) => good.subarray(0, at % ChunkField.bytes)],
  ['corrupt', (good, at) => good.subarray(0, ChunkField.bytes + (at % (good.length - ChunkField.bytes)))],
  ['corrupt', (good, at) => Buffer.concat([good, Buffer.alloc(1 + (at % 9))])],
  ['malformed', (good, at) => ((good[ChunkField.magicU16] ^= 1 + (at % 255)), good)],
  ['malformed', (good, at) => ((good[ChunkField.versionU8] = 3 + (at % 200)), good)],
  ['malformed', (good, at) => ((good[ChunkField.flagsU8] = 3 + (at % 200)), reseal(good))],
  ['malformed', (good) => (good.writeUInt32LE(0, ChunkField.frameBytesU32), reseal(good))],
  ['malformed', (good) => (good.writeUInt32LE(0xffff_ffff, ChunkField.offsetU32), reseal(good))],
  [
    'malformed',
    (good, at) => (good.writeDoubleLE([NaN, -1, 0.5, 2 ** 60][at % 4], ChunkField.sequenceF64), reseal(good)),
  ],
  ['malformed', (good, at) => (good.writeDoubleLE([NaN, -1, 0.5, Infinity][at % 4], ChunkField.baseF64), reseal(good))],
  ['foreign', (good, at) => (good.writeUInt32LE((runOf(good) + 1 + (at % 99)) >>> 0, ChunkField.runU32), reseal(good))],
  ['stale', (good) => (good.writeUInt32LE(0, ChunkField.genU32), reseal(good))],
];
