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
import { EmptyCorpus, PackNotWritten, UnreadableFile } from './errors.ts';
import type { CorpusSpec, FoundCorpus } from './found_corpus.ts';
import { splitHeldOut } from './held_out.ts';
import { partsOf } from './pack_parts.ts';
import type { PackPool } from './pack_pool.ts';
import { PackedCorpus } from './packed_corpus.ts';
import { INDEX_FILE, corpusDigest, streamFile } from './packed_index.ts';
import type { HeldOutOptions, PackedIndex } from './packed_index.ts';
import { tokenDtype, tokensAs } from './tokenizers/tokenizer.ts';
import type { Tokenizer } from './tokenizers/tokenizer.ts';

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

/** A found corpus and the folder that it is or will be packed in. */
export interface PlacedCorpus {
  readonly found: FoundCorpus;
  readonly digest: string;
  readonly folder: string;
  readonly isPacked: boolean;
}

/** Packs one corpus, or opens it if it was packed before; throws the errors of this layer. */
export async function packCorpus(spec: CorpusSpec, options: PackOptions, pool: PackPool): Promise<PackResult> {
  const found = await findCorpus(spec, options, pool);
  const placed = await placeCorpus(found, options, pool);
  if (!placed.isPacked) await checkTexts(found, options.tokenizer, pool);
  return await packPlaced(placed, options, pool);
}

/** Where a corpus whose files have been found is packed, or is to be. */
export async function placeCorpus(found: FoundCorpus, options: PackOptions, pool: PackPool): Promise<PlacedCorpus> {
  const digest = corpusDigest(found, options.tokenizer, options);
  const folder = join(options.cacheDir, digest);
  // What is damaged is only a cache: it is made again from the files.
  const isPacked = existsSync(join(folder, INDEX_FILE)) && (await pool.isWhole(folder));
  return { found, digest, folder, isPacked };
}

/** Files that may turn out not to be what the corpus says they are. */
export const filesToCheck = ({ files }: FoundCorpus): FoundCorpus['files'] =>
  files.filter(({ format }) => format !== 'text');

/** Reads all rows, and all other JSON, without encoding it. Throws `UnreadableFile` for the first that cannot be used. */
export async function checkTexts(found: FoundCorpus, { cuts }: Pick<Tokenizer, 'cuts'>, pool: PackPool): Promise<void> {
  const parts = partsOf({ spec: found.spec, files: filesToCheck(found) });
  for await (const refusal of pool.inOrder(parts, (pieces) => pool.check({ pieces, cuts }))) {
    if (refusal !== null) throw new UnreadableFile(found.spec.name, refusal);
  }
}

/** Opens a placed corpus, packed now if it was not. Throws `UnreadableFile`, `EmptyCorpus` and `PackNotWritten`. */
export async function packPlaced(placed: PlacedCorpus, options: PackOptions, pool: PackPool): Promise<PackResult> {
  const { found, folder, isPacked } = placed;
  if (!isPacked) await writePack(placed, options, pool);
  return { corpus: PackedCorpus.trusted(folder), found, folder, reused: isPacked };
}

async function writePack({ found, digest, folder }: PlacedCorpus, options: PackOptions, pool: PackPool): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
    removeLeftovers(options.cacheDir);
    const { result: sums, sha256 } = await writeCacheFile(folder, streamFile(found.spec.name), (write) =>
      encode(found, options.tokenizer, pool, write),
    );
    const index = indexOf(found, options, { digest, sha256, ...sums });
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
  const sums = await encode(found, tokenizer, pool, null);
  const index = indexOf(found, options, { digest: corpusDigest(found, tokenizer, options), sha256: '', ...sums });
  const separators = (count: number): number[] => Array.from({ length: count }, () => tokenizer.separatorId);
  return new PackedCorpus(index, { read: (begin, end) => tokensAs(index.dtype, separators(end - begin)) });
}

/** What is known of a stream once it is encoded. */
type StreamSums = Pick<PackedIndex, 'tokenCount' | 'documentCount' | 'emptyRows' | 'textBytes'>;

function indexOf(
  { spec, files, filesFound, skipped }: FoundCorpus,
  { tokenizer, heldOutFraction, blockTokens }: HeldOutOptions & { readonly tokenizer: Tokenizer },
  stream: StreamSums & Pick<PackedIndex, 'digest' | 'sha256'>,
): PackedIndex {
  return {
    version: 2,
    name: spec.name,
    tokenizer: tokenizer.name,
    vocabSize: tokenizer.vocabSize,
    separatorId: tokenizer.separatorId,
    dtype: tokenDtype(tokenizer.vocabSize),
    bytes: files.reduce((sum, file) => sum + file.bytes, 0),
    filesFound,
    skipped,
    heldOutFraction,
    blockTokens,
    heldOut: [...splitHeldOut(spec.name, stream.tokenCount, heldOutFraction, blockTokens).heldOut],
    ...stream,
  };
}

/** Gives every document's tokens in order, each ended by the separator. Throws `UnreadableFile` and `EmptyCorpus`. */
async function encode(
  found: FoundCorpus,
  { source, identity }: Tokenizer,
  pool: PackPool,
  take: ((ids: Uint8Array) => Promise<void>) | null,
): Promise<StreamSums> {
  const sums = { tokenCount: 0, documentCount: 0, emptyRows: 0, textBytes: 0 };
  const encoded = pool.inOrder(partsOf(found), async (pieces) =>
    pool.encode({ pieces, tokenizer: { source, identity }, keep: take !== null }),
  );
  for await (const part of encoded) {
    if (part.kind === 'refused') throw new UnreadableFile(found.spec.name, part);
    sums.tokenCount += part.tokens;
    sums.documentCount += part.documents;
    sums.emptyRows += part.emptyRows;
    sums.textBytes += part.textBytes;
    if (take !== null && part.ids !== null) await take(part.ids);
  }
  if (sums.documentCount > 0) return sums;
  const reason = `all ${sums.emptyRows} rows have an empty text`;
  throw new EmptyCorpus(found.spec.name, reason, 'point its glob at texts, or correct columns');
}
