/**
 * From files to a token stream on disk, once. A corpus lives in `<cacheDir>/<digest>/`: the stream, written to a
 * temporary name, synced and renamed, then the index in the same way. So a folder is complete or has no index, two
 * launchers may pack the same corpus at once, and a second launch only hashes the files.
 */
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { findCorpus, type FindOptions } from './corpus.ts';
import { removeLeftovers, writeCacheFile } from './cache_file.ts';
import { PackNotWritten, UnreadableFile } from './errors.ts';
import type { CorpusFile, CorpusSpec, FoundCorpus } from './found_corpus.ts';
import { splitHeldOut } from './held_out.ts';
import type { PackPool } from './pack_pool.ts';
import type { Encoded, PlacedPiece } from './pack_tasks.ts';
import { PackedCorpus } from './packed_corpus.ts';
import { INDEX_FILE, corpusDigest, streamFile } from './packed_index.ts';
import type { HeldOutOptions, PackedIndex } from './packed_index.ts';
import { tokenDtype, tokensAs } from './tokenizers/tokenizer.ts';
import type { Tokenizer } from './tokenizers/tokenizer.ts';

/** Small documents go to a thread together. */
const BYTES_A_TASK = 2 ** 20;

export interface PackOptions extends FindOptions, HeldOutOptions {
  readonly cacheDir: string;
  readonly tokenizer: Tokenizer;
}

/** A packed corpus, where it lies, what it was made of, and whether it was there already. */
export interface PackResult {
  readonly corpus: PackedCorpus;
  readonly found: FoundCorpus;
  readonly folder: string;
  readonly reused: boolean;
}

/** Packs one corpus, or opens it if it was packed before; throws the errors of this layer. */
export async function packCorpus(spec: CorpusSpec, options: PackOptions, pool: PackPool): Promise<PackResult> {
  const found = await findCorpus(spec, options, pool);
  return await packFound(found, options, pool);
}

/** The same of a corpus whose files have been found. */
export async function packFound(found: FoundCorpus, options: PackOptions, pool: PackPool): Promise<PackResult> {
  const digest = corpusDigest(found, options.tokenizer, options);
  const folder = join(options.cacheDir, digest);
  // What is damaged is only a cache: it is made again from the files.
  const reused = existsSync(join(folder, INDEX_FILE)) && (await pool.isWhole(folder));
  if (!reused) await writePack(found, { digest, folder }, options, pool);
  return { corpus: PackedCorpus.trusted(folder), found, folder, reused };
}

async function writePack(
  found: FoundCorpus,
  { digest, folder }: { readonly digest: string; readonly folder: string },
  options: PackOptions,
  pool: PackPool,
): Promise<void> {
  const stream = streamFile(found.spec.name);
  let tokenCount = 0;
  try {
    await mkdir(folder, { recursive: true });
    removeLeftovers(options.cacheDir);
    await writeCacheFile(folder, stream, async (write) => {
      for await (const { ids, tokens } of encoded(found, options.tokenizer, pool, true)) {
        tokenCount += tokens;
        if (ids !== null) await write(ids);
      }
    });
    const sha256 = await pool.hash(join(folder, stream));
    const index = indexOf(found, options, { digest, tokenCount, sha256 });
    const json = Buffer.from(`${JSON.stringify(index, null, 2)}\n`);
    await writeCacheFile(folder, INDEX_FILE, (write) => write(json));
  } catch (error) {
    if (error instanceof Error && 'syscall' in error) throw new PackNotWritten(folder, error);
    throw error;
  }
}

/**
 * The corpus that packing would give, with nothing written: what is known of its length, and of how it is cut, holds; its
 * tokens are all the separator. Throws `UnreadableFile`.
 */
export async function rehearsedCorpus(
  found: FoundCorpus,
  options: HeldOutOptions & { readonly tokenizer: Tokenizer },
  pool: PackPool,
): Promise<PackedCorpus> {
  const { tokenizer } = options;
  let tokenCount = 0;
  for await (const { tokens } of encoded(found, tokenizer, pool, false)) tokenCount += tokens;
  const index = indexOf(found, options, { digest: corpusDigest(found, tokenizer, options), tokenCount, sha256: '' });
  const separators = (count: number): number[] => Array.from({ length: count }, () => tokenizer.separatorId);
  return new PackedCorpus(index, { read: (begin, end) => tokensAs(index.dtype, separators(end - begin)) });
}

function indexOf(
  { spec, files, filesFound, skipped }: FoundCorpus,
  { tokenizer, heldOutFraction, blockTokens }: HeldOutOptions & { readonly tokenizer: Tokenizer },
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
    blockTokens,
    heldOut: [...splitHeldOut(spec.name, stream.tokenCount, heldOutFraction, blockTokens).heldOut],
    ...stream,
  };
}

/** Every document's tokens in order, each ended by the separator. Throws `UnreadableFile`. */
async function* encoded(
  { spec, files }: FoundCorpus,
  { source, identity }: Tokenizer,
  pool: PackPool,
  keep: boolean,
): AsyncGenerator<Encoded> {
  const { format } = spec;
  const tokenizer = { source, identity };
  const results = pool.inOrder(tasksOf(files), async (pieces) => pool.encode({ pieces, format, tokenizer, keep }));
  for await (const result of results) {
    if (result.kind === 'refused') throw new UnreadableFile(spec.name, result.path, result.reason, result.remedy);
    yield result;
  }
}

/** Pieces in the order of the stream, as many together as make a task. */
function* tasksOf(files: readonly CorpusFile[]): Generator<PlacedPiece[]> {
  let task: PlacedPiece[] = [];
  let taskBytes = 0;
  for (const { path, isMarked, pieces } of files) {
    let begin = 0;
    for (const [at, piece] of pieces.entries()) {
      task.push({ ...piece, path, begin, isMarked: isMarked && at === 0, isLast: at === pieces.length - 1 });
      begin += piece.bytes;
      taskBytes += piece.bytes;
      if (taskBytes < BYTES_A_TASK) continue;
      yield task;
      task = [];
      taskBytes = 0;
    }
  }
  if (task.length > 0) yield task;
}
