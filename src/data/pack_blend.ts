/**
 * All corpora of a blend, packed and opened, in one call: what a launcher does before the first step. Threads do the work,
 * so that an interrupt is seen and progress can be told.
 */
import { Blend } from './blend.ts';
import { findCorpus } from './corpus.ts';
import type { CorpusSpec, FoundCorpus } from './found_corpus.ts';
import {
  checkTexts,
  filesToCheck,
  packPlaced,
  placeCorpus,
  rehearsedCorpus,
  type PackOptions,
  type PackResult,
} from './pack.ts';
import { PackPool } from './pack_pool.ts';

/** How far packing is. While files are found and hashed, nobody knows how many bytes there will be. */
export interface PackProgress {
  readonly doneBytes: number;
  readonly totalBytes: number | null;
}

export interface BlendOptions {
  readonly corpora: readonly CorpusSpec[];
  readonly seed: number;
  /** Told several times a second. */
  readonly progress?: (progress: PackProgress) => void;
  /** Aborted: the call rejects with its reason at once. */
  readonly signal?: AbortSignal;
  /** Default: as many as processors, up to 8. The result is the same for any number. */
  readonly threads?: number;
}

export type PackBlendOptions = PackOptions &
  BlendOptions & {
    /** Told after each corpus, in order. */
    readonly observe?: (result: PackResult) => void;
  };

/** A blend, and for each of its corpora the folder that a node can open it from. */
export interface PackedBlend {
  readonly blend: Blend;
  readonly folders: readonly string[];
}

/** Packs what is not packed yet and opens the blend; throws the errors of this layer. */
export async function packBlend(options: PackBlendOptions): Promise<PackedBlend> {
  await using pool = poolOf(options);
  const results: PackResult[] = [];
  const placed = [];
  for (const found of await findAll(options, pool)) placed.push(await placeCorpus(found, options, pool));
  const unpacked = placed.flatMap(({ found, isPacked }) => (isPacked ? [] : [found]));
  using _progress = withProgress(pool, options.progress, bytesToRead(unpacked));
  await checkAll(unpacked, options, pool);
  for (const corpus of placed) {
    const result = await packPlaced(corpus, options, pool);
    results.push(result);
    options.observe?.(result);
  }
  const corpora = results.map(({ corpus }) => corpus);
  return { blend: new Blend(corpora, weightsOf(options), options.seed), folders: results.map(({ folder }) => folder) };
}

/** The blend that packing would give, with nothing written, and the files of its corpora. Throws the same. */
export async function rehearseBlend(
  options: Omit<PackOptions, 'cacheDir'> & BlendOptions,
): Promise<{ readonly corpora: readonly FoundCorpus[]; readonly blend: Blend }> {
  await using pool = poolOf(options);
  const corpora = await findAll(options, pool);
  const packed = [];
  await checkAll(corpora, options, pool);
  for (const found of corpora) packed.push(await rehearsedCorpus(found, options, pool));
  return { corpora, blend: new Blend(packed, weightsOf(options), options.seed) };
}

async function findAll(options: Omit<PackOptions, 'cacheDir'> & BlendOptions, pool: PackPool): Promise<FoundCorpus[]> {
  using _progress = withProgress(pool, options.progress, null);
  const found: FoundCorpus[] = [];
  for (const spec of options.corpora) found.push(await findCorpus(spec, options, pool));
  return found;
}

/** Checks the texts of all corpora, before hours go into the first. */
async function checkAll(
  corpora: readonly FoundCorpus[],
  { tokenizer }: Pick<PackOptions, 'tokenizer'>,
  pool: PackPool,
): Promise<void> {
  for (const found of corpora) await checkTexts(found, tokenizer, pool);
}

/** Tells how far the threads are until it is disposed of. */
export function withProgress(
  pool: PackPool,
  progress: BlendOptions['progress'],
  totalBytes: number | null,
): Disposable {
  pool.beginCount();
  const timer = progress && setInterval(() => progress({ doneBytes: pool.bytesRead, totalBytes }), TELL_MS);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

const TELL_MS = 200;

const poolOf = ({ threads, signal }: BlendOptions): PackPool =>
  new PackPool({ signal, ...(threads === undefined ? {} : { threads }) });

const weightsOf = ({ corpora }: BlendOptions): number[] => corpora.map(({ weight }) => weight);

const bytesOf = (files: FoundCorpus['files']): number => files.reduce((sum, { bytes }) => sum + bytes, 0);

/** Everything is encoded, and some is checked before. */
const bytesToRead = (corpora: readonly FoundCorpus[]): number =>
  corpora.reduce((sum, found) => sum + bytesOf(found.files) + bytesOf(filesToCheck(found)), 0);
