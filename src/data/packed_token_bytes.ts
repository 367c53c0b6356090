/**
 * The bytes that each token stands for, in a file of the cache: whoever makes microbatches reads it there and need not load the
 * tokenizer. Little-endian u32 by id, in a folder named by a digest of the tokenizer's identity.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { removeLeftovers, writeCacheFile } from './cache_file.ts';
import { PackNotWritten } from './errors.ts';
import { FileStream } from './token_stream.ts';
import type { Tokenizer } from './tokenizers/tokenizer.ts';

/** Where the file lies, and what is in it. */
export interface PackedTokenBytes {
  readonly path: string;
  /** Ids that it has a number for. */
  readonly tokens: number;
  readonly sha256: string;
}

const FILE = 'token-bytes.bin';

/** Writes the file unless it is there. Throws `PackNotWritten`. */
export async function packTokenBytes(
  cacheDir: string,
  tokenizer: Pick<Tokenizer, 'identity' | 'byteCounts'>,
): Promise<PackedTokenBytes> {
  const counts = tokenizer.byteCounts();
  const bytes = new Uint8Array(counts.buffer, counts.byteOffset, counts.byteLength);
  const identity = JSON.stringify(['troupe-token-bytes/1', tokenizer.identity]);
  const folder = join(cacheDir, createHash('sha256').update(identity).digest('hex'));
  const path = join(folder, FILE);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const packed = { path, tokens: counts.length, sha256 };
  if (isWritten(path, bytes)) return packed;
  try {
    await mkdir(folder, { recursive: true });
    removeLeftovers(cacheDir);
    await writeCacheFile(folder, FILE, (write) => write(bytes));
  } catch (error) {
    if (error instanceof Error && 'syscall' in error) throw new PackNotWritten(folder, error);
    throw error;
  }
  return packed;
}

/** Bytes by id. Throws `DamagedPack` where the file is not what was written. */
export function readTokenBytes({ path, tokens, sha256 }: PackedTokenBytes): Uint32Array {
  const file = new FileStream(path, 'u32');
  file.verify(tokens, sha256, () => undefined);
  return Uint32Array.from(file.read(0, tokens));
}

function isWritten(path: string, bytes: Uint8Array): boolean {
  try {
    return readFileSync(path).equals(bytes);
  } catch {
    return false;
  }
}
