/**
 * A chunk: what one NATS message holds. A frame is cut into chunks of at most the server's `max_payload`; each has a
 * header of 64 bytes that says whose it is, its place in the link's sequence, and a checksum over all that follows it.
 */

import { crc32 } from 'node:zlib';
import type { LinkCounters } from './link_counters.ts';
import { TENSOR_ALIGN } from './wire.ts';

/** Offsets in bytes, little-endian, types in the names. */
export const ChunkField = {
  magicU16: 0,
  versionU8: 2,
  flagsU8: 3,
  crcU32: 4,
  /** The run: two clusters of one name on one server do not hear each other. */
  runU32: 8,
  genU32: 12,
  /** Which life of the sending node; grows with each start. */
  incarnationF64: 16,
  sequenceF64: 24,
  /** Control: the lowest sequence number not yet acknowledged. In an acknowledgement: the incarnation it is for. */
  baseF64: 32,
  /** Bytes of the whole frame; the same in each of its chunks. */
  frameBytesU32: 40,
  /** Where in its frame this chunk starts. */
  offsetU32: 44,
  /**
   * Control: counts all chunks that leave for a node, repeats too, from 1. In an acknowledgement: the highest that has
   * come. Since a connection keeps order, what left before it and has not come is lost. Else 0.
   */
  attemptF64: 48,
  /** Zero. */
  unusedFrom: 56,
  /** To where tensors are aligned, so that a frame of one chunk can be read where it arrived. */
  bytes: TENSOR_ALIGN,
} as const;

const MAGIC = 0x4c54;
const VERSION = 2;

/** Acknowledge: all before `sequence` has arrived. Tail: data up to `sequence` has been sent. */
export const ChunkKind = { frame: 0, acknowledge: 1, tail: 2 } as const;
export type ChunkKind = (typeof ChunkKind)[keyof typeof ChunkKind];

export interface Chunk {
  kind: ChunkKind;
  gen: number;
  incarnation: number;
  sequence: number;
  base: number;
  frameBytes: number;
  offset: number;
  attempt: number;
  payload: Uint8Array;
}

/** What a sender says of a chunk; without `attempt` it is 0. */
export type ChunkFields = Omit<Chunk, 'incarnation' | 'payload' | 'attempt'> & { readonly attempt?: number };

/** Who speaks: fields that are the same for all chunks of a node. */
export interface LinkIdentity {
  readonly run: number;
  readonly incarnation: number;
}

/** The number that stands for a run in chunks. */
export const runNumber = (runId: string): number => crc32(runId);

/** Fills in the header before a payload that is in `bytes` already, from `ChunkField.bytes` on. */
export function sealChunk(bytes: Buffer, identity: LinkIdentity, chunk: ChunkFields): void {
  bytes.writeUInt16LE(MAGIC, ChunkField.magicU16);
  bytes[ChunkField.versionU8] = VERSION;
  bytes[ChunkField.flagsU8] = chunk.kind;
  bytes.writeUInt32LE(identity.run, ChunkField.runU32);
  bytes.writeUInt32LE(chunk.gen, ChunkField.genU32);
  bytes.writeDoubleLE(identity.incarnation, ChunkField.incarnationF64);
  bytes.writeDoubleLE(chunk.sequence, ChunkField.sequenceF64);
  bytes.writeDoubleLE(chunk.base, ChunkField.baseF64);
  bytes.writeUInt32LE(chunk.frameBytes, ChunkField.frameBytesU32);
  bytes.writeUInt32LE(chunk.offset, ChunkField.offsetU32);
  bytes.writeDoubleLE(chunk.attempt ?? 0, ChunkField.attemptF64);
  bytes.fill(0, ChunkField.unusedFrom, ChunkField.bytes);
  bytes.writeUInt32LE(crc32(bytes.subarray(ChunkField.runU32)), ChunkField.crcU32);
}

/** Changes what is new of a sealed chunk when it leaves. */
export function resealChunk(bytes: Buffer, base: number, attempt: number): void {
  bytes.writeDoubleLE(base, ChunkField.baseF64);
  bytes.writeDoubleLE(attempt, ChunkField.attemptF64);
  bytes.writeUInt32LE(crc32(bytes.subarray(ChunkField.runU32)), ChunkField.crcU32);
}

/** A chunk without payload. */
export function bareChunk(identity: LinkIdentity, fields: Omit<ChunkFields, 'frameBytes' | 'offset'>): Buffer {
  const bytes = Buffer.alloc(ChunkField.bytes);
  sealChunk(bytes, identity, { ...fields, frameBytes: 0, offset: 0 });
  return bytes;
}

/**
 * Reads a chunk of run `run`; its payload is a view of `data`. Null if it is none, is damaged, or of another run: counted
 * as such. After this its fields are whole numbers in range and its payload lies within its frame.
 */
export function readChunk(data: Uint8Array, run: number, counters: LinkCounters): Chunk | null {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  if (
    bytes.length < ChunkField.bytes ||
    bytes.readUInt16LE(ChunkField.magicU16) !== MAGIC ||
    bytes[ChunkField.versionU8] !== VERSION
  ) {
    counters.malformed += 1;
    return null;
  }
  if (bytes.readUInt32LE(ChunkField.crcU32) !== crc32(bytes.subarray(ChunkField.runU32))) {
    counters.corrupt += 1;
    return null;
  }
  if (bytes.readUInt32LE(ChunkField.runU32) !== run) {
    counters.foreign += 1;
    return null;
  }
  const chunk = {
    kind: kindOf(bytes[ChunkField.flagsU8]),
    gen: bytes.readUInt32LE(ChunkField.genU32),
    incarnation: bytes.readDoubleLE(ChunkField.incarnationF64),
    sequence: bytes.readDoubleLE(ChunkField.sequenceF64),
    base: bytes.readDoubleLE(ChunkField.baseF64),
    frameBytes: bytes.readUInt32LE(ChunkField.frameBytesU32),
    offset: bytes.readUInt32LE(ChunkField.offsetU32),
    attempt: bytes.readDoubleLE(ChunkField.attemptF64),
    payload: data.subarray(ChunkField.bytes),
  };
  if (isSound(chunk)) return chunk;
  counters.malformed += 1;
  return null;
}

function kindOf(flags: number): ChunkKind | null {
  if (flags === ChunkKind.frame || flags === ChunkKind.acknowledge || flags === ChunkKind.tail) return flags;
  return null;
}

const isCount = (value: number): boolean => Number.isSafeInteger(value) && value >= 0;

type RawChunk = Omit<Chunk, 'kind'> & { readonly kind: ChunkKind | null };

function isSound(chunk: RawChunk): chunk is Chunk {
  const { kind, incarnation, sequence, base, frameBytes, offset, attempt, payload } = chunk;
  if (![incarnation, sequence, base, attempt].every(isCount)) return false;
  if (kind === ChunkKind.frame) return payload.length > 0 && offset + payload.length <= frameBytes;
  return kind !== null && payload.length === 0;
}
