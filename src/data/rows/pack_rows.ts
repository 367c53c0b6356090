/**
 * From files of rows to samples on disk, once: read in order, made samples on threads, written end to end. What lies in which
 * sequence, and what is held out, is decided when all samples are known; so a folder is complete or has no index.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { removeLeftovers, writeCacheFile } from '../cache_file.ts';
import { PackNotWritten } from '../errors.ts';
import { INDEX_FILE } from '../packed_index.ts';
import type { PackPool } from '../pack_pool.ts';
import { tokenDtype } from '../tokenizers/tokenizer.ts';
import { PackedRows } from './packed_rows.ts';
import { rowsFiles, type RowsIndex } from './rows_index.ts';
import { knownOf, partsOf, recordsOf, type KnownSamples } from './rows_layout.ts';
import {
  checkLeft,
  checkRows,
  findRows,
  madeOf,
  noRows,
  sumOf,
  type FoundRows,
  type RowsSpec,
  type SamplingOptions,
} from './rows_made.ts';
import { labelsOf } from './sample_task.ts';
import type { RowCounts } from './sampler.ts';
import { bestFit, oneEach, type Packing, type Pause } from './sequence_packing.ts';

export interface PackRowsOptions extends SamplingOptions {
  readonly cacheDir: string;
  /** Whether several samples lie in one sequence. */
  readonly isPacked: boolean;
  /** Share of the samples to keep for evaluation, in [0, 1). */
  readonly heldOutFraction: number;
}

export interface PackRowsResult {
  readonly rows: PackedRows;
  readonly folder: string;
  readonly reused: boolean;
}

/** Rows whose files have been found and hashed, and the folder that they are or will be packed in. */
export interface PlacedRows {
  readonly found: FoundRows;
  readonly digest: string;
  readonly folder: string;
  readonly isPacked: boolean;
  /** Of all files. */
  readonly bytes: number;
}

/** Packs the rows of a corpus, or opens them if they were packed before. Throws `EmptyCorpus`, `BadRow` and their kin. */
export async function packRows(spec: RowsSpec, options: PackRowsOptions, pool: PackPool): Promise<PackRowsResult> {
  const placed = await placeRows(spec, options, pool);
  if (!placed.isPacked) await checkRows(placed.found, options, pool);
  return await packPlacedRows(placed, options, pool);
}

/** Finds the rows of a corpus, and where they are packed or are to be. Throws `EmptyCorpus`, `BadRow`, `UnreadableRows`. */
export async function placeRows(spec: RowsSpec, options: PackRowsOptions, pool: PackPool): Promise<PlacedRows> {
  const found = await findRows(spec, options, pool);
  const { digest, bytes } = await digestOf(found, options, pool);
  const folder = join(options.cacheDir, digest);
  // What is damaged is only a cache: it is made again from the files.
  const isPacked = existsSync(join(folder, INDEX_FILE)) && (await pool.areWholeRows(folder));
  return { found, digest, folder, isPacked, bytes };
}

/** Opens placed rows, packed now if they were not. Throws `EmptyCorpus`, `BadRow`, `BadChatTemplate`, `PackNotWritten`. */
export async function packPlacedRows(
  { found, digest, folder, isPacked }: PlacedRows,
  options: PackRowsOptions,
  pool: PackPool,
): Promise<PackRowsResult> {
  if (!isPacked) {
    try {
      await mkdir(folder, { recursive: true });
      removeLeftovers(options.cacheDir);
      await writeRows(folder, found, digest, options, pool);
    } catch (error) {
      if (error instanceof Error && 'syscall' in error) throw new PackNotWritten(folder, error);
      throw error;
    }
  }
  return { rows: PackedRows.trusted(folder), folder, reused: isPacked };
}

async function writeRows(
  folder: string,
  found: FoundRows,
  digest: string,
  options: PackRowsOptions,
  pool: PackPool,
): Promise<void> {
  const { tokenizer, sampler, heldOutFraction } = options;
  const made: KnownSamples[] = [];
  let counts: RowCounts = noRows;
  const tokens = await writeCacheFile(folder, rowsFiles.tokens, (writeTokens) =>
    writeCacheFile(folder, rowsFiles.trained, async (writeTrained) => {
      for await (const part of madeOf(found, options, pool)) {
        await writeTokens(part.tokens);
        await writeTrained(part.trained);
        made.push({ sizes: part.sizes, labels: part.labels });
        counts = sumOf(counts, part.counts);
      }
    }),
  );
  const known = knownOf(made);
  const samples = known.sizes.length / 2;
  const { name } = found.spec;
  checkLeft(name, counts, options);
  const { pause } = pool;
  const parts = await partsOf(name, samples, heldOutFraction, pause);
  const train = await packing(parts.train, known, options, pause);
  const heldOut = await packing(parts.heldOut, known, options, pause);
  const labels = labelsOf(found.kind);
  const records = await recordsOf([train.order, heldOut.order], known, labels, pause);
  const starts = new Uint32Array(train.starts.length + heldOut.starts.length - 1);
  starts.set(train.starts);
  starts.set(
    heldOut.starts.map((start) => train.order.length + start),
    train.starts.length - 1,
  );
  const written = await writeCacheFile(folder, rowsFiles.samples, (write) => write(records));
  const ends = await writeCacheFile(folder, rowsFiles.starts, (write) => write(new Uint8Array(starts.buffer)));
  const index: RowsIndex = {
    version: 1,
    kind: found.kind,
    name,
    digest,
    tokenizer: tokenizer.name,
    vocabSize: tokenizer.vocabSize,
    dtype: tokenDtype(tokenizer.vocabSize),
    sequenceLength: sampler.sequenceLength,
    labels,
    train: { samples: train.order.length, sequences: train.starts.length - 1 },
    heldOut: { samples: heldOut.order.length, sequences: heldOut.starts.length - 1 },
    ...counts,
    sha256: {
      tokens: tokens.sha256,
      trained: tokens.result.sha256,
      samples: written.sha256,
      starts: ends.sha256,
    },
  };
  await writeCacheFile(folder, INDEX_FILE, (write) => write(Buffer.from(`${JSON.stringify(index, null, 2)}\n`)));
}

async function packing(
  samples: Uint32Array,
  { sizes }: KnownSamples,
  { isPacked, sampler }: PackRowsOptions,
  pause: Pause,
): Promise<Packing> {
  if (!isPacked) return oneEach(samples);
  return await bestFit(samples, (sample) => sizes[2 * sample], sampler.sequenceLength, pause);
}

/** sha256 over tokenizer, template, how samples are made, and every file's name and digest; and the bytes of all files. */
async function digestOf(
  { spec, kind, files }: FoundRows,
  { tokenizer, sampler, isPacked, heldOutFraction }: PackRowsOptions,
  pool: PackPool,
): Promise<Pick<PlacedRows, 'digest' | 'bytes'>> {
  const { chatTemplate, toolTemplate, identity } = tokenizer;
  const how = [sampler, isPacked, heldOutFraction, spec.columns, chatTemplate, toolTemplate];
  const hash = createHash('sha256').update(JSON.stringify(['troupe-rows/1', spec.name, kind, identity, how]));
  let bytes = 0;
  const hashes = pool.inOrder(files, async ({ name, path }) => ({ name, ...(await pool.hash(path)) }));
  for await (const file of hashes) {
    hash.update(JSON.stringify([file.name, file.sha256]));
    bytes += file.bytes;
  }
  return { digest: hash.digest('hex'), bytes };
}
