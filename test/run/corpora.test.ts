/** What a launch says of the files that it found: of each corpus a line for what a user may not have meant. */
import { describe, expect, test } from 'vitest';
import { leftOutRemarks, rowRemarks } from '../../src/run/corpora.ts';
import type { CorpusFormat, FoundCorpus } from '../../src/data/index.ts';

function found(names: readonly string[], ownOutput = 0, format: CorpusFormat = 'text'): FoundCorpus {
  const skipped = { empty: 1, tooLarge: 0, notUtf8: 0, duplicate: 0, notAFile: 0, ownOutput };
  return {
    spec: { name: 'texts', globs: ['**/*'], weight: 1, format, maxFileBytes: 100 },
    filesFound: names.length + 1 + ownOutput,
    files: names.map((name) => ({ name, path: `/t/${name}`, bytes: 1, sha256: '', isMarked: false, pieces: [] })),
    skipped,
  };
}

describe('a remark on a corpus', () => {
  test('names the first file of rows and what to do with it', () => {
    const end =
      'rows of data and will be trained on as plain text, with its braces, keys and commas; write the texts to .txt files, or exclude it';
    expect(rowRemarks(found(['a.txt', 'b/c.JSONL']))).toEqual([`corpus 'texts': b/c.JSONL holds ${end}`]);
    expect(rowRemarks(found(['a.csv', 'b.tsv', 'c.ndjson']))).toEqual([`corpus 'texts': a.csv and 2 more hold ${end}`]);
  });

  test('says how many files were left out, where runs have written some', () => {
    expect(leftOutRemarks(found(['a.txt'], 3))).toEqual([
      "corpus 'texts': 1 of 5 files are its texts; left out: 1 empty, 3 written by a run",
    ]);
  });

  test('is not made where all is as usual', () => {
    expect(leftOutRemarks(found(['a.txt']))).toEqual([]);
    expect(rowRemarks(found(['a.txt', 'jsonl', 'b.csv.txt']))).toEqual([]);
    expect(rowRemarks(found(['a.jsonl'], 0, 'json_strings'))).toEqual([]);
  });
});
