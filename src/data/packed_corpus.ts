/**
 * A corpus as training sees it: one array of token ids and the runs of it that may be trained on or evaluated. Opening
 * one reads the stream into memory and checks it against its index, so that what is open is what was packed.
 */
import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readFileSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { DamagedPack, firstIssue } from './errors.ts';
import { splitHeldOut } from './held_out.ts';
import type { TokenRange } from './held_out.ts';
import { INDEX_FILE, packedIndexSchema, streamFile } from './packed_index.ts';
import type { PackedIndex } from './packed_index.ts';
import { tokenBytes } from './tokenizer.ts';
import type { TokenDtype, TokenIds } from './tokenizer.ts';

const READ_BYTES = 2 ** 26;

export class PackedCorpus {
  readonly index: PackedIndex;
  readonly tokens: TokenIds;
  /** Runs of consecutive blocks that training may use, in stream order. */
  readonly train: readonly TokenRange[];
  /** Runs of consecutive blocks kept for evaluation, in stream order. */
  readonly heldOut: readonly TokenRange[];

  /** Over tokens in memory; the index must describe them. */
  constructor(index: PackedIndex, tokens: TokenIds) {
    const split = splitHeldOut(index.name, index.tokenCount, index.heldOutFraction);
    this.index = index;
    this.tokens = tokens;
    this.train = split.train;
    this.heldOut = split.heldOut;
  }

  get name(): string {
    return this.index.name;
  }

  get digest(): string {
    return this.index.digest;
  }

  /** Tokens that training may use. */
  get trainTokens(): number {
    return this.train.reduce((sum, run) => sum + run.end - run.begin, 0);
  }

  /** Reads the packed corpus in `folder`; throws `DamagedPack` if it is incomplete or not what its index says. */
  static open(folder: string): PackedCorpus {
    const index = readIndex(folder);
    const path = join(folder, streamFile(index.name));
    const bytes = readStream(path, index.tokenCount * tokenBytes(index.dtype));
    if (createHash('sha256').update(bytes).digest('hex') !== index.sha256) {
      throw new DamagedPack(path, 'its content is not what its index says');
    }
    const corpus = new PackedCorpus(index, viewOf(bytes, index.dtype));
    if (JSON.stringify(corpus.heldOut) !== JSON.stringify(index.heldOut)) {
      throw new DamagedPack(folder, 'its held-out ranges follow another rule');
    }
    return corpus;
  }
}

function readIndex(folder: string): PackedIndex {
  const path = join(folder, INDEX_FILE);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new DamagedPack(folder, 'it has no readable index', cause);
  }
  try {
    return packedIndexSchema.parse(JSON.parse(text));
  } catch (cause) {
    const reason = cause instanceof z.ZodError ? firstIssue(cause) : 'it is not JSON';
    throw new DamagedPack(path, reason, cause);
  }
}

function readStream(path: string, wantedBytes: number): Uint8Array<ArrayBuffer> {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (cause) {
    throw new DamagedPack(path, 'it cannot be opened', cause);
  }
  try {
    const foundBytes = fstatSync(file).size;
    if (foundBytes !== wantedBytes) throw new DamagedPack(path, `it has ${foundBytes} bytes, not ${wantedBytes}`);
    const bytes = new Uint8Array(wantedBytes);
    // In parts, because one read ends at 2 GiB.
    for (let at = 0; at < wantedBytes;) {
      const got = readSync(file, bytes, at, Math.min(READ_BYTES, wantedBytes - at), at);
      if (got === 0) throw new DamagedPack(path, `it ends at byte ${at} of ${wantedBytes}`);
      at += got;
    }
    return bytes;
  } finally {
    closeSync(file);
  }
}

/** Typed arrays are little-endian on every platform that Node runs on here, as the stream is. */
function viewOf(bytes: Uint8Array<ArrayBuffer>, dtype: TokenDtype): TokenIds {
  if (dtype === 'u8') return bytes;
  return dtype === 'u16' ? new Uint16Array(bytes.buffer) : new Uint32Array(bytes.buffer);
}
