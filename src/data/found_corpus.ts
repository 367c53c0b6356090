/**
 * A corpus as it is asked for and as it was found: the files by name, size and digest, and how many files were left
 * out for which reason. It holds no text.
 */
import type { CorpusFormat } from './corpus_format.ts';
import type { Document, LeftOut } from './document.ts';
import type { NamedFile } from './matched_files.ts';

export interface CorpusSpec {
  readonly name: string;
  /** Relative to the topology file's folder, as `exclude`. */
  readonly globs: readonly string[];
  readonly exclude?: readonly string[] | undefined;
  /** Share of the blend relative to the other weights. */
  readonly weight: number;
  readonly format: CorpusFormat;
  /** Key of the text in a row. */
  readonly textKey: string;
  /** Of a file that is one document; rows are in files of any size. */
  readonly maxFileBytes: number;
}

/** One file that goes into the stream. */
export type CorpusFile = NamedFile & Omit<Document, 'kind'>;

/** Files that a glob found and that are left out, by reason. `ownOutput`: what a run of Troupe has written. */
export type SkippedFiles = Readonly<Record<LeftOut | 'duplicate' | 'ownOutput', number>>;

export interface FoundCorpus {
  readonly spec: CorpusSpec;
  /** Files that the globs matched: those in `files` and those left out. */
  readonly filesFound: number;
  /** Sorted by name in code-unit order. */
  readonly files: readonly CorpusFile[];
  readonly skipped: SkippedFiles;
}

/** `2 empty, 1 not UTF-8`; nothing where nothing was left out. */
export function skippedText({ maxFileBytes }: Pick<CorpusSpec, 'maxFileBytes'>, skipped: SkippedFiles): string {
  return [
    { count: skipped.empty, what: 'empty' },
    { count: skipped.tooLarge, what: `over ${maxFileBytes} bytes` },
    { count: skipped.notUtf8, what: 'not UTF-8' },
    { count: skipped.duplicate, what: 'equal to another' },
    { count: skipped.notAFile, what: 'not a file, or gone' },
    { count: skipped.ownOutput, what: 'written by a run' },
  ]
    .flatMap(({ count, what }) => (count === 0 ? [] : [`${count} ${what}`]))
    .join(', ');
}

/** Names of files, in the order of the corpus, that hold tables and are read as plain text where nobody has asked for that. */
export function tableFiles({ spec, files }: FoundCorpus): string[] {
  if (spec.format !== 'auto') return [];
  return files.map(({ name, path }) => name || path).filter((name) => /\.(?:csv|tsv)(?:\.gz)?$/i.test(name));
}
