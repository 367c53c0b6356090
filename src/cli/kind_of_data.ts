/**
 * What the files given to `troupe init` are: plain texts, or rows of data of some kind, which their keys tell. A topology file
 * differs by that.
 */
import { matchedFiles } from '../data/index.ts';
import { BadRow, readRows, type RowKind } from '../data/rows/index.ts';
import { UsageError } from './usage_error.ts';

/** `files`: each is one text. */
export type DataKind = 'files' | Exclude<RowKind, 'preference'>;

/** Names of files of which every line is a row, and of those that may be an array of rows or anything else. */
const [lines, json] = [/\.(jsonl|ndjson)(\.gz)?$/, /\.json(\.gz)?$/];

/**
 * The kind of the first row where all files that a glob matches are of rows. Throws `BadRow` where it is of no kind,
 * `UnreadableRows`, and `UsageError` for pairs.
 */
export async function kindOfData(glob: string, baseDir: string): Promise<DataKind> {
  const matched = matchedFiles({ globs: [glob], exclude: [], baseDir });
  if (matched.kind === 'none') return 'files';
  const names = matched.files.map(({ path }) => path);
  const areLines = names.every((name) => lines.test(name));
  if (!areLines && !names.every((name) => lines.test(name) || json.test(name))) return 'files';
  const kind = await firstKind(names, areLines);
  if (kind === 'preference') {
    const found = 'its rows are pairs of answers, which no objective learns from yet';
    throw new UsageError(`--data ${glob}: ${found}; give chats, attributes or texts`);
  }
  return kind;
}

async function firstKind(paths: readonly string[], areLines: boolean): Promise<RowKind | 'files'> {
  try {
    for (const path of paths) for await (const { row } of readRows(path)) return row.kind;
  } catch (error) {
    // Any other JSON is a text.
    if (!(error instanceof BadRow) || areLines) throw error;
  }
  return 'files';
}
