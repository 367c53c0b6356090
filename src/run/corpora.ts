/**
 * The corpora of a run are packed on its first launch and opened after, and drawn from by weight as the topology's `data` section
 * says: texts as streams of tokens, rows of data as samples.
 */
import { resolve } from 'node:path';
import {
  blendDigest,
  blockTokensFor,
  checkBlend,
  checkRows,
  countRows,
  findRows,
  packBlend,
  packPlacedRows,
  packTokenBytes,
  PackPool,
  placeRows,
  readTokenBytes,
  rehearseBlend,
  skippedText,
  tableFiles,
  withProgress,
  type Blend,
  type FoundCorpus,
  type PackedCorpus,
  type PackedRows,
  type PackProgress,
  type PackRowsOptions,
  type PlacedRows,
  type RowCounts,
  type Tokenizer,
} from '../data/index.ts';
import { weightOf, type Topology } from '../topology/index.ts';
import type { BatchSource, BlendSource, RunData } from './batch_source.ts';
import { corporaOf, rowsOptionsOf, rowsSpecOf, textSpecOf, topologyOfEvaluation } from './corpus_specs.ts';
import type { BlendedData } from './evaluated_data.ts';
import type { TrainOptions } from './run_port.ts';

/** The data of a run, with corpora in the order of the topology, and where others find it. */
export interface PackedData extends RunData {
  readonly source: BatchSource;
}

type PackOptions = Pick<TrainOptions, 'topology' | 'baseDir' | 'signal' | 'observe'>;

/**
 * Packs the corpora of a topology, or opens them where that is done. Globs and the cache are relative to `baseDir`. Throws
 * `EmptyCorpus`, `BadBlend`, `BadRow` and the other errors of `data`.
 */
export async function packedData(options: PackOptions, tokenizer: Tokenizer): Promise<PackedData> {
  const { topology, baseDir } = options;
  const { source, ...trained } = await packedBlend(options, tokenizer);
  const evaluations = new Map<string, PackedBlended>();
  for (const { name } of topology.evaluations) {
    const own = { ...options, topology: topologyOfEvaluation(topology, name) };
    evaluations.set(name, await packedBlend(own, tokenizer));
  }
  const tokenBytes = await packTokenBytes(resolve(baseDir, topology.data.cache_dir), tokenizer);
  const sources = Object.fromEntries([...evaluations].map(([name, blend]) => [name, blend.source]));
  return {
    ...trained,
    evaluations,
    tokenBytes: readTokenBytes(tokenBytes),
    source: { ...source, evaluations: sources, tokenBytes },
  };
}

interface PackedBlended extends BlendedData {
  readonly source: BlendSource;
}

async function packedBlend(options: PackOptions, tokenizer: Tokenizer): Promise<PackedBlended> {
  const { data, training } = options.topology;
  const sections = corporaOf(data);
  const placed = await placeRowsOf(options, tokenizer);
  const texts = await packTextsOf(options, tokenizer);
  const packed = new Map([...texts, ...(await packRowsOf(placed, options, tokenizer))]);
  const corpora = sections.map(({ name }) => packed.get(name)!.corpus);
  const weights = sections.map(({ weight }) => weightOf(weight));
  checkBlend(corpora, weights, training.seed);
  const folders = sections.map(({ name }) => packed.get(name)!.folder);
  return { corpora, weights, source: { folders, weights, digest: blendDigest(corpora, weights) } };
}

/** A packed corpus and its folder, by name. */
type Packed = Map<string, { readonly corpus: PackedCorpus | PackedRows; readonly folder: string }>;

async function packTextsOf({ topology, baseDir, signal, observe }: PackOptions, tokenizer: Tokenizer): Promise<Packed> {
  const texts = textOptionsOf(topology, baseDir, tokenizer);
  if (texts.corpora.length === 0) return new Map();
  const { blend, folders } = await packBlend({
    ...texts,
    cacheDir: resolve(baseDir, topology.data.cache_dir),
    signal,
    progress: (progress) => observe({ kind: 'packing', ...progress }),
    observe: ({ found }) => {
      for (const text of [...leftOutRemarks(found), ...tableRemarks(found)]) observe({ kind: 'notice', text });
    },
  });
  return new Map(blend.corpora.map((corpus, i) => [corpus.name, { corpus, folder: folders[i] }]));
}

/** Finds all corpora of rows, and looks at the rows that are to be packed, before hours go into the first corpus. */
async function placeRowsOf(options: PackOptions, tokenizer: Tokenizer): Promise<PlacedRows[]> {
  const sections = corporaOf(options.topology.data).filter(({ format }) => format === 'rows');
  if (sections.length === 0) return [];
  const { signal, observe } = options;
  await using pool = new PackPool({ signal });
  const tell = (progress: PackProgress): void => observe({ kind: 'packing', ...progress });
  const rowsOptions = packRowsOptionsOf(options, tokenizer);
  const placed: PlacedRows[] = [];
  {
    using _finding = withProgress(pool, tell, null);
    for (const section of sections) placed.push(await placeRows(rowsSpecOf(section), rowsOptions, pool));
  }
  using _checking = withProgress(pool, tell, bytesToPack(placed));
  for (const { found, isPacked } of placed) if (!isPacked) await checkRows(found, rowsOptions, pool);
  return placed;
}

async function packRowsOf(placed: readonly PlacedRows[], options: PackOptions, tokenizer: Tokenizer): Promise<Packed> {
  const packed: Packed = new Map();
  if (placed.length === 0) return packed;
  const { signal, observe } = options;
  await using pool = new PackPool({ signal });
  using _progress = withProgress(pool, (progress) => observe({ kind: 'packing', ...progress }), bytesToPack(placed));
  for (const each of placed) {
    const { rows, folder } = await packPlacedRows(each, packRowsOptionsOf(options, tokenizer), pool);
    packed.set(rows.name, { corpus: rows, folder });
    const remarks = [...lostRemarks(rows), ...foundRemarks(rows.name, rows.index)];
    for (const text of remarks) observe({ kind: 'notice', text });
  }
  return packed;
}

const packRowsOptionsOf = ({ topology, baseDir }: PackOptions, tokenizer: Tokenizer): PackRowsOptions => ({
  ...rowsOptionsOf(topology, tokenizer),
  baseDir,
  cacheDir: resolve(baseDir, topology.data.cache_dir),
});

const bytesToPack = (placed: readonly PlacedRows[]): number =>
  placed.reduce((sum, { isPacked, bytes }) => sum + (isPacked ? 0 : bytes), 0);

/** The files of each corpus of texts, and their blend as packing would give it; nothing is written. Throws what packing does. */
export async function rehearsedBlend(
  topology: Topology,
  baseDir: string,
  tokenizer: Tokenizer,
): Promise<{ corpora: readonly FoundCorpus[]; blend: Blend } | null> {
  const options = textOptionsOf(topology, baseDir, tokenizer);
  return options.corpora.length === 0 ? null : await rehearseBlend(options);
}

/** What packing would count of each corpus of rows; nothing is written. Throws what packing does. */
export async function rehearsedRows(
  topology: Topology,
  baseDir: string,
  tokenizer: Tokenizer,
): Promise<{ readonly name: string; readonly counts: RowCounts }[]> {
  const sections = corporaOf(topology.data).filter(({ format }) => format === 'rows');
  if (sections.length === 0) return [];
  await using pool = new PackPool();
  const options = { ...rowsOptionsOf(topology, tokenizer), baseDir };
  const all = [];
  for (const section of sections) all.push(await findRows(rowsSpecOf(section), options, pool));
  for (const found of all) await checkRows(found, options, pool);
  const counted = [];
  for (const found of all) counted.push({ name: found.spec.name, counts: await countRows(found, options, pool) });
  return counted;
}

/** A line where a user may not have meant that outputs of runs are among the texts: how many files were left out, and why. */
export function leftOutRemarks({ spec, filesFound, files, skipped }: FoundCorpus): string[] {
  if (skipped.ownOutput === 0) return [];
  const all = skippedText(spec, skipped);
  return [`corpus '${spec.name}': ${files.length} of ${filesFound} files are its texts; left out: ${all}`];
}

/** A line where a user may not have meant that tables are read as text. */
export function tableRemarks(found: FoundCorpus): string[] {
  const tables = tableFiles(found);
  if (tables.length === 0) return [];
  const which = tables.length === 1 ? `${tables[0]} holds` : `${tables[0]} and ${tables.length - 1} more hold`;
  return [
    `corpus '${found.spec.name}': ${which} a table and will be trained on as plain text, with its separators; write its ` +
      "texts to a .jsonl file, exclude it, or say by format 'text' that it is meant so",
  ];
}

interface Lost {
  readonly index: Pick<PackedRows['index'], 'name' | 'rows' | 'truncated' | 'dropped' | 'sequenceLength'>;
}

/** A line where rows were cut, or have nothing left to learn. */
export function lostRemarks({ index }: Lost): string[] {
  const { name, rows, truncated, dropped, sequenceLength } = index;
  const parts = [
    ...(truncated > 0 ? [`${truncated} cut to ${sequenceLength} tokens`] : []),
    ...(dropped > 0 ? [`${dropped} dropped, of which nothing is left to learn`] : []),
  ];
  return parts.length === 0 ? [] : [`corpus '${name}': of ${rows} rows ${parts.join(', ')}`];
}

/** A line where turns were found by their content: what a template writes around it may not be learnt as it is asked for. */
export function foundRemarks(
  name: string,
  { rows, foundByContent }: Pick<RowCounts, 'rows' | 'foundByContent'>,
): string[] {
  if (foundByContent === 0) return [];
  return [
    `corpus '${name}': of ${rows} rows ${foundByContent} have turns that were found by their content, since the template writes a ` +
      'conversation that goes on otherwise than one that ends; `troupe data show` shows what is learnt of them, and ' +
      '{% generation %} in the template would say it',
  ];
}

function textOptionsOf({ data, training }: Topology, baseDir: string, tokenizer: Tokenizer) {
  return {
    baseDir,
    tokenizer,
    heldOutFraction: data.held_out,
    blockTokens: blockTokensFor(training.sequence_length),
    seed: training.seed,
    corpora: corporaOf(data).flatMap((section) =>
      section.format === 'rows' ? [] : [textSpecOf(section, section.format)],
    ),
  };
}
