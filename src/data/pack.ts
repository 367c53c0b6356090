/**
 * From files to a token stream on disk, once. A corpus lives in `<cacheDir>/<digest>/`: the stream, written to a
 * temporary name, synced and renamed, then the index in the same way. So a folder is complete or has no index, two
 * launchers may pack the same corpus at once, and a second launch only hashes the files.
 */
import { createHash, randomUUID } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { findCorpus, readText } from './corpus.ts';
import type { CorpusSpec, FoundCorpus } from './corpus.ts';
import { DamagedPack, PackNotWritten } from './errors.ts';
import { FileReader } from './file_reader.ts';
import { splitHeldOut } from './held_out.ts';
import { PackedCorpus } from './packed_corpus.ts';
import { INDEX_FILE, corpusDigest, streamFile } from './packed_index.ts';
import type { PackedIndex } from './packed_index.ts';
import { tokenBytes, tokenDtype, tokensAs } from './tokenizer.ts';
import type { Tokenizer } from './tokenizer.ts';

const WRITE_BYTES = 2 ** 22;

export interface PackOptions {
  /** Folder of the topology file: globs are relative to it. */
  readonly baseDir: string;
  readonly cacheDir: string;
  readonly tokenizer: Tokenizer;
  /** Share of each corpus to keep for evaluation, in [0, 1). */
  readonly heldOutFraction: number;
}

/** A packed corpus, where it lies, and whether it was there already. */
export interface PackResult {
  readonly corpus: PackedCorpus;
  readonly folder: string;
  readonly reused: boolean;
}

/** Packs one corpus, or opens it if it was packed before; throws the errors of this layer. Synchronous. */
export function packCorpus(spec: CorpusSpec, options: PackOptions): PackResult {
  const found = findCorpus(spec, options.baseDir);
  const digest = corpusDigest(found, options.tokenizer, options.heldOutFraction);
  const folder = join(options.cacheDir, digest);
  if (existsSync(join(folder, INDEX_FILE))) {
    try {
      return { corpus: PackedCorpus.open(folder), folder, reused: true };
    } catch (error) {
      // What is damaged is only a cache: it is made again from the files below.
      if (!(error instanceof DamagedPack)) throw error;
    }
  }
  writePack(found, digest, folder, options);
  return { corpus: PackedCorpus.open(folder), folder, reused: false };
}

function writePack(found: FoundCorpus, digest: string, folder: string, options: PackOptions): void {
  guarded(folder, () => mkdirSync(folder, { recursive: true }));
  const { bytes, sha256 } = writeStream(found, folder, options.tokenizer);
  const tokenCount = bytes / tokenBytes(tokenDtype(options.tokenizer.vocabSize));
  const index = indexOf(found, options, { digest, tokenCount, sha256 });
  const json = Buffer.from(`${JSON.stringify(index, null, 2)}\n`);
  durably(folder, INDEX_FILE, (write) => write(json));
}

/**
 * The corpus that packing would give, with nothing written: what is known of its length, and of how it is cut, holds; its
 * tokens are all the separator. Throws `UnreadableFile`.
 */
export function rehearsedCorpus(found: FoundCorpus, options: Omit<PackOptions, 'cacheDir'>): PackedCorpus {
  const { tokenizer, heldOutFraction } = options;
  const reader = new FileReader();
  let tokenCount = 0;
  for (const file of found.files) tokenCount += tokenizer.encode(readText(found.spec, file, reader)).length + 1;
  const digest = corpusDigest(found, tokenizer, heldOutFraction);
  const index = indexOf(found, options, { digest, tokenCount, sha256: '' });
  const separators = (count: number): number[] => Array.from({ length: count }, () => tokenizer.separatorId);
  return new PackedCorpus(index, { read: (begin, end) => tokensAs(index.dtype, separators(end - begin)) });
}

function indexOf(
  { spec, files, filesFound, skipped }: FoundCorpus,
  { tokenizer, heldOutFraction }: Pick<PackOptions, 'tokenizer' | 'heldOutFraction'>,
  stream: Pick<PackedIndex, 'digest' | 'tokenCount' | 'sha256'>,
): PackedIndex {
  return {
    version: 1,
    name: spec.name,
    tokenizer: tokenizer.name,
    vocabSize: tokenizer.vocabSize,
    separatorId: tokenizer.separatorId,
    dtype: tokenDtype(tokenizer.vocabSize),
    documentCount: files.length,
    bytes: files.reduce((sum, file) => sum + file.bytes, 0),
    filesFound,
    skipped,
    heldOutFraction,
    heldOut: [...splitHeldOut(spec.name, stream.tokenCount, heldOutFraction).heldOut],
    ...stream,
  };
}

/** Writes every document's tokens, each followed by the separator. */
function writeStream(found: FoundCorpus, folder: string, tokenizer: Tokenizer): { bytes: number; sha256: string } {
  const dtype = tokenDtype(tokenizer.vocabSize);
  const separator = bytesOf(tokensAs(dtype, [tokenizer.separatorId]));
  const hash = createHash('sha256');
  let bytes = 0;
  durably(folder, streamFile(found.spec.name), (write) => {
    let parts: Uint8Array[] = [];
    let partBytes = 0;
    const flush = (): void => {
      const chunk = Buffer.concat(parts);
      hash.update(chunk);
      write(chunk);
      parts = [];
      partBytes = 0;
    };
    const reader = new FileReader();
    for (const file of found.files) {
      const document = bytesOf(tokensAs(dtype, tokenizer.encode(readText(found.spec, file, reader))));
      parts.push(document, separator);
      partBytes += document.length + separator.length;
      bytes += document.length + separator.length;
      if (partBytes >= WRITE_BYTES) flush();
    }
    flush();
  });
  return { bytes, sha256: hash.digest('hex') };
}

/** Writes a file under a temporary name, syncs it and gives it its name; what fails leaves nothing behind. */
function durably(folder: string, name: string, fill: (write: (bytes: Uint8Array) => void) => void): void {
  const temporary = join(folder, `${name}.${randomUUID()}.partial`);
  const file = guarded(folder, () => openSync(temporary, 'wx'));
  try {
    try {
      fill((bytes) =>
        guarded(folder, () => {
          for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at);
        }),
      );
      guarded(folder, () => fsyncSync(file));
    } finally {
      closeSync(file);
    }
    guarded(folder, () => renameSync(temporary, join(folder, name)));
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

function guarded<T>(folder: string, action: () => T): T {
  try {
    return action();
  } catch (cause) {
    throw new PackNotWritten(folder, cause);
  }
}

function bytesOf(ids: Uint8Array | Uint16Array | Uint32Array): Uint8Array {
  return new Uint8Array(ids.buffer, ids.byteOffset, ids.byteLength);
}
