/** The rows of a corpus on their way to samples: which files, which kind, and what threads make of them, in order. */
import { EmptyCorpus } from '../errors.ts';
import type { NamedFile } from '../matched_files.ts';
import type { PackPool } from '../pack_pool.ts';
import type { Tokenizer } from '../tokenizers/tokenizer.ts';
import { BadRow } from './row_error.ts';
import type { RowFormat } from './row_kind.ts';
import type { MeasureTask, RowMeasure } from './row_measure.ts';
import type { RowText } from './row_lines.ts';
import { readRows, readRowTexts } from './row_reader.ts';
import type { SampledKind, Samples, SampleTask } from './sample_task.ts';
import type { RowCounts, SamplerOptions } from './sampler.ts';

export interface RowsSpec {
  readonly name: string;
  /** Relative to the topology file's folder, as `exclude`. */
  readonly globs: readonly string[];
  readonly exclude: readonly string[];
  readonly columns: RowFormat['columns'];
}

export interface SamplingOptions {
  readonly baseDir: string;
  readonly tokenizer: Tokenizer;
  /** Kinds that the objective learns from. */
  readonly kinds: readonly SampledKind[];
  readonly sampler: SamplerOptions;
}

/** A corpus of rows whose files have been found. */
export interface FoundRows {
  readonly spec: RowsSpec;
  readonly kind: SampledKind;
  readonly files: readonly NamedFile[];
}

/** Texts of rows that go to a thread together, in UTF-16 units. */
const UNITS_A_TASK = 2 ** 19;

/** Finds the files of a corpus, and tells its kind by the first row. Throws `EmptyCorpus`, `BadRow`, `UnreadableRows`. */
export async function findRows(spec: RowsSpec, options: SamplingOptions, pool: PackPool): Promise<FoundRows> {
  const { globs, exclude } = spec;
  const matched = await pool.find({ globs, exclude, baseDir: options.baseDir });
  if (matched.kind === 'none') throw new EmptyCorpus(spec.name, matched.reason, 'correct its glob in data');
  return { spec, kind: await kindOf(spec, matched.files, options), files: matched.files };
}

/** Reads all rows without making samples of them. Throws `BadRow` for the first that cannot be used, and `UnreadableRows`. */
export async function checkRows(
  { spec, kind, files }: FoundRows,
  { sampler }: SamplingOptions,
  pool: PackPool,
): Promise<void> {
  const task = { format: { kind, columns: spec.columns }, options: sampler };
  for await (const _ of pool.inOrder(tasksOf(files), (part) => pool.checkRows({ ...task, ...part })));
}

/** Samples of all rows, a task's after another. Throws `BadRow`, `BadChatTemplate`, `UnreadableRows`. */
export function madeOf(
  { spec, kind, files }: FoundRows,
  { sampler, tokenizer }: SamplingOptions,
  pool: PackPool,
): AsyncGenerator<Samples> {
  const { source, identity } = tokenizer;
  const task = { format: { kind, columns: spec.columns }, options: sampler, tokenizer: { source, identity } };
  return pool.inOrder(tasksOf(files), (part) => pool.sampleRows({ ...task, ...part }));
}

/** Measures of all rows of a file, a task's after another. Throws `BadRow`, `BadChatTemplate`, `UnreadableRows`. */
export function measuresOf(
  path: string,
  task: Omit<MeasureTask, 'path' | 'rows' | 'bytes'>,
  pool: PackPool,
): AsyncGenerator<RowMeasure> {
  return pool.inOrder(tasksOf([{ path }]), (part) => pool.measureRows({ ...task, ...part }));
}

export const noRows: RowCounts = {
  rows: 0,
  truncated: 0,
  dropped: 0,
  tokens: 0,
  trainedTokens: 0,
  foundByContent: 0,
};

/** Throws `EmptyCorpus` where nothing is left of the rows of a corpus. */
export function checkLeft(name: string, { rows, dropped }: RowCounts, { sampler }: SamplingOptions): void {
  if (rows > dropped) return;
  const reason = `none of its ${rows} rows has anything to learn within ${sampler.sequenceLength} tokens`;
  throw new EmptyCorpus(name, reason, 'raise training.sequence_length, or set data.keep: end');
}

/** What packing would count, with nothing written. Throws the same. */
export async function countRows(found: FoundRows, options: SamplingOptions, pool: PackPool): Promise<RowCounts> {
  let total = noRows;
  for await (const { counts } of madeOf(found, options, pool)) total = sumOf(total, counts);
  checkLeft(found.spec.name, total, options);
  return total;
}

export const sumOf = (a: RowCounts, b: RowCounts): RowCounts => ({
  rows: a.rows + b.rows,
  truncated: a.truncated + b.truncated,
  dropped: a.dropped + b.dropped,
  tokens: a.tokens + b.tokens,
  trainedTokens: a.trainedTokens + b.trainedTokens,
  foundByContent: a.foundByContent + b.foundByContent,
});

/** The kind of the first row, which all others must have. */
async function kindOf(
  { name, columns }: RowsSpec,
  files: readonly NamedFile[],
  { kinds }: SamplingOptions,
): Promise<SampledKind> {
  for (const { path } of files) {
    for await (const { row, place } of readRows(path, { kind: null, columns })) {
      const kind = kinds.find((each) => each === row.kind);
      if (kind !== undefined) return kind;
      const wanted = kinds.join(' or ');
      throw new BadRow(
        place,
        null,
        `a row of the kind ${row.kind}, where rows of ${wanted} are learnt from`,
        'set objective.kind to what the rows are for, or correct the glob',
      );
    }
  }
  throw new EmptyCorpus(name, 'its files have no row', 'point its glob at files of rows');
}

/** Rows in the order of the files, as many together as make a task, and how many bytes of their file they took. */
async function* tasksOf(
  files: readonly Pick<NamedFile, 'path'>[],
): AsyncGenerator<Pick<SampleTask, 'path' | 'rows' | 'bytes'>> {
  for (const { path } of files) {
    let rows: RowText[] = [];
    let [units, bytes] = [0, 0];
    for await (const row of readRowTexts(path, { read: (more) => void (bytes += more) })) {
      rows.push(row);
      units += row.text.length;
      if (units < UNITS_A_TASK) continue;
      yield { path, rows, bytes };
      rows = [];
      [units, bytes] = [0, 0];
    }
    if (rows.length > 0 || bytes > 0) yield { path, rows, bytes };
  }
}
