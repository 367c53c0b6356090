/** Which files become documents, in which order, and what is said about the others. */
import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { EmptyCorpus, UnreadableFile, findCorpus } from '../../src/data/index.ts';
import { readText } from '../../src/data/corpus.ts';
import { FileReader } from '../../src/data/file_reader.ts';
import { scratchFolder, spec, thrownBy } from './scratch.ts';

describe('corpus', () => {
  it('sorts files by path in code-unit order, also below node_modules', () => {
    const folder = scratchFolder({
      'b.txt': '1',
      'Z.txt': '2',
      'node_modules/p/z.txt': '3',
      'a/ü.txt': '4',
      'a/z.txt': '5',
    });
    const { files } = findCorpus(spec(), folder);
    expect(files.map((file) => file.name)).toEqual(['Z.txt', 'a/z.txt', 'a/ü.txt', 'b.txt', 'node_modules/p/z.txt']);
  });

  it('finds files above its base folder and names them the same from any base folder', () => {
    const folder = scratchFolder({
      'texts/x/1.txt': '1',
      'texts/y/2.txt': '2',
      'configs/c.yaml': '',
      'runs/one/c.yaml': '',
    });
    const near = findCorpus(spec({ globs: ['../texts/**/*.txt'] }), join(folder, 'configs'));
    const far = findCorpus(spec({ globs: ['../../texts/**/*.txt'] }), join(folder, 'runs/one'));
    expect(near.files.map((file) => file.name)).toEqual(['x/1.txt', 'y/2.txt']);
    expect(far.files).toEqual(near.files);
  });

  it('counts what it leaves out by reason', () => {
    const folder = scratchFolder({
      '1.txt': 'kept',
      '2.txt': 'kept',
      '3.txt': '',
      '4.txt': 'x'.repeat(101),
      '5.txt': Uint8Array.of(0x61, 0xff),
      '6.txt': 'x'.repeat(100),
    });
    symlinkSync(join(folder, 'gone'), join(folder, '7.txt'));
    const found = findCorpus(spec({ maxFileBytes: 100 }), folder);
    expect(found.files.map((file) => [file.name, file.bytes])).toEqual([
      ['1.txt', 4],
      ['6.txt', 100],
    ]);
    expect(found.skipped).toEqual({ empty: 1, tooLarge: 1, notUtf8: 1, duplicate: 1, notAFile: 1 });
    expect(found.filesFound).toBe(7);
  });

  it('takes a file once that two globs match, no folder, and nothing that is excluded', () => {
    const folder = scratchFolder({ 'a.txt': 'a', 'b.min.txt': 'b', 'c.txt/d.txt': 'd' });
    const found = findCorpus(spec({ globs: ['**/*.txt', 'a.*'], exclude: ['**/*.min.txt'] }), folder);
    expect(found.files.map((file) => file.name)).toEqual(['a.txt', 'c.txt/d.txt']);
    expect(found.filesFound).toBe(2);
  });

  it('names corpus, glob and folder where a glob matches nothing', () => {
    const folder = scratchFolder({ 'a.txt': 'a' });
    const error = thrownBy(() => findCorpus(spec({ globs: ['*.txt', '*.md'] }), folder));
    expect(error).toBeInstanceOf(EmptyCorpus);
    const message = `corpus 'texts' is empty: glob '*.md' matches no file below ${folder}; correct data.blend`;
    expect(error).toHaveProperty('message', message);
  });

  it('says why nothing is left', () => {
    const error = thrownBy(() => findCorpus(spec(), scratchFolder({ 'a.txt': '', 'b.txt': Uint8Array.of(0xff) })));
    expect(error).toBeInstanceOf(EmptyCorpus);
    expect(error).toHaveProperty(
      'message',
      "corpus 'texts' is empty: nothing is left of 2 files (1 empty, 1 not UTF-8); " +
        'point its glob at text files or raise max_file_bytes',
    );
  });

  it('joins all string values of a JSON file in file order', () => {
    const json = JSON.stringify({ b: 'one', a: ['two', 3, { c: 'three' }], d: null });
    const folder = scratchFolder({ 'm.json': json });
    const { spec: found, files } = findCorpus(spec({ globs: ['*.json'], format: 'json_strings' }), folder);
    expect(readText(found, files[0], new FileReader())).toBe('one\ntwo\nthree');
  });

  it('refuses a file that is not JSON where the corpus says it is', () => {
    const folder = scratchFolder({ 'm.json': '{"a"' });
    const found = findCorpus(spec({ globs: ['*.json'], format: 'json_strings' }), folder);
    const error = thrownBy(() => readText(found.spec, found.files[0], new FileReader()));
    expect(error).toBeInstanceOf(UnreadableFile);
    expect(error).toHaveProperty('path', join(folder, 'm.json'));
    expect(error).toHaveProperty(
      'message',
      expect.stringMatching(/^corpus 'texts': cannot use .*: it is not JSON: .*; exclude it/),
    );
  });

  it('refuses a file that changed after it was found', () => {
    const folder = scratchFolder({ 'a.txt': 'before' });
    const { files } = findCorpus(spec(), folder);
    const changed = { ...files[0], sha256: '0'.repeat(64) };
    expect(thrownBy(() => readText(spec(), changed, new FileReader()))).toHaveProperty('tag', 'UnreadableFile');
  });
});
