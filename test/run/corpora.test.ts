/** What a launch says of the files that it found: of each corpus a line for what a user may not have meant. */
import { describe, expect, test } from 'vitest';
import { foundRemarks, leftOutRemarks, lostRemarks, tableRemarks } from '../../src/run/corpora.ts';
import type { CorpusFormat, FoundCorpus } from '../../src/data/index.ts';

function found(names: readonly string[], ownOutput = 0, format: CorpusFormat = 'auto'): FoundCorpus {
  const skipped = { empty: 1, tooLarge: 0, notUtf8: 0, duplicate: 0, notAFile: 0, ownOutput };
  const rest = { bytes: 1, sha256: '', isMarked: false, pieces: [] };
  return {
    spec: { name: 'texts', globs: ['**/*'], weight: 1, format, textKey: 'text', maxFileBytes: 100 },
    filesFound: names.length + 1 + ownOutput,
    files: names.map((name) => ({ name, path: `/t/${name}`, format: 'text', ...rest })),
    skipped,
  };
}

describe('a remark on a corpus', () => {
  test('names the first file of a table and what to do with it', () => {
    const end =
      'a table and will be trained on as plain text, with its separators; write its texts to a .jsonl file, exclude it, ' +
      "or say by format 'text' that it is meant so";
    expect(tableRemarks(found(['a.txt', 'b/c.CSV']))).toEqual([`corpus 'texts': b/c.CSV holds ${end}`]);
    expect(tableRemarks(found(['a.csv.gz', 'b.tsv', 'c.csv']))).toEqual([
      `corpus 'texts': a.csv.gz and 2 more hold ${end}`,
    ]);
  });

  test('says how many files were left out, where runs have written some', () => {
    expect(leftOutRemarks(found(['a.txt'], 3))).toEqual([
      "corpus 'texts': 1 of 5 files are its texts; left out: 1 empty, 3 written by a run",
    ]);
  });

  test('says how many rows were cut or dropped, and how many turns were found by their content', () => {
    const index = { name: 'chats', rows: 9, truncated: 2, dropped: 1, sequenceLength: 64, foundByContent: 3 };
    expect(lostRemarks({ index })).toEqual([
      "corpus 'chats': of 9 rows 2 cut to 64 tokens, 1 dropped, of which nothing is left to learn",
    ]);
    expect(foundRemarks('chats', index)).toEqual([
      expect.stringMatching(/^corpus 'chats': of 9 rows 3 have turns that were found by their content, /) as unknown,
    ]);
    expect(lostRemarks({ index: { ...index, truncated: 0, dropped: 0 } })).toEqual([]);
    expect(foundRemarks('chats', { ...index, foundByContent: 0 })).toEqual([]);
  });

  test('is not made where all is as usual', () => {
    expect(leftOutRemarks(found(['a.txt']))).toEqual([]);
    expect(tableRemarks(found(['a.txt', 'a.jsonl', 'b.csv.txt']))).toEqual([]);
    expect(tableRemarks(found(['a.csv'], 0, 'text'))).toEqual([]);
  });
});
