/** Which files become documents, in which order, and what is said about the others. */
import { mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { BytesTokenizer, EmptyCorpus, UnreadableFile, findCorpus, packCorpus } from '../../src/data/index.ts';
import type { CorpusSpec, FoundCorpus } from '../../src/data/index.ts';
import { allOf, poolOfFile, rejectionOf, scratchFolder, spec } from './scratch.ts';

const pool = poolOfFile();
const tokenizer = new BytesTokenizer();

const find = (wanted: CorpusSpec, baseDir: string): Promise<FoundCorpus> =>
  findCorpus(wanted, { baseDir, tokenizer }, pool);

/** What is trained on, documents ended by `|`. */
async function textOf(wanted: CorpusSpec, baseDir: string): Promise<string> {
  const options = { baseDir, tokenizer, cacheDir: join(baseDir, 'cache'), heldOutFraction: 0.1, blockTokens: 4096 };
  const { corpus } = await packCorpus(wanted, options, pool);
  return Buffer.from(allOf(corpus)).toString().replaceAll('\0', '|');
}

describe('corpus', () => {
  it('sorts files by path in code-unit order, also below node_modules', async () => {
    const folder = scratchFolder({
      'b.txt': '1',
      'Z.txt': '2',
      'node_modules/p/z.txt': '3',
      'a/ü.txt': '4',
      'a/z.txt': '5',
    });
    const { files } = await find(spec(), folder);
    expect(files.map((file) => file.name)).toEqual(['Z.txt', 'a/z.txt', 'a/ü.txt', 'b.txt', 'node_modules/p/z.txt']);
  });

  it('finds files above its base folder and names them the same from any base folder', async () => {
    const folder = scratchFolder({
      'texts/x/1.txt': '1',
      'texts/y/2.txt': '2',
      'configs/c.yaml': '',
      'runs/one/c.yaml': '',
    });
    const near = await find(spec({ globs: ['../texts/**/*.txt'] }), join(folder, 'configs'));
    const far = await find(spec({ globs: ['../../texts/**/*.txt'] }), join(folder, 'runs/one'));
    expect(near.files.map((file) => file.name)).toEqual(['x/1.txt', 'y/2.txt']);
    expect(far.files).toEqual(near.files);
  });

  it('counts what it leaves out by reason', async () => {
    const folder = scratchFolder({
      '1.txt': 'kept',
      '2.txt': 'kept',
      '3.txt': '',
      '4.txt': 'x'.repeat(101),
      '5.txt': Uint8Array.of(0x61, 0xff),
      '6.txt': 'x'.repeat(100),
    });
    symlinkSync(join(folder, 'gone'), join(folder, '7.txt'));
    const found = await find(spec({ maxFileBytes: 100 }), folder);
    expect(found.files.map((file) => [file.name, file.bytes])).toEqual([
      ['1.txt', 4],
      ['6.txt', 100],
    ]);
    expect(found.skipped).toEqual({ empty: 1, tooLarge: 1, notUtf8: 1, duplicate: 1, notAFile: 1, ownOutput: 0 });
    expect(found.filesFound).toBe(7);
  });

  it('takes a file once that two globs match, no folder, and nothing that is excluded', async () => {
    const folder = scratchFolder({ 'a.txt': 'a', 'b.min.txt': 'b', 'c.txt/d.txt': 'd' });
    const found = await find(spec({ globs: ['**/*.txt', 'a.*'], exclude: ['**/*.min.txt'] }), folder);
    expect(found.files.map((file) => file.name)).toEqual(['a.txt', 'c.txt/d.txt']);
    expect(found.filesFound).toBe(2);
  });

  it('names corpus, glob and folder where a glob matches nothing', async () => {
    const folder = scratchFolder({ 'a.txt': 'a' });
    const error = await rejectionOf(find(spec({ globs: ['*.txt', '*.md'] }), folder));
    expect(error).toBeInstanceOf(EmptyCorpus);
    const message = `corpus 'texts' is empty: glob '*.md' matches no file below ${folder}; correct data.blend`;
    expect(error).toHaveProperty('message', message);
  });

  it('says why nothing is left', async () => {
    const error = await rejectionOf(find(spec(), scratchFolder({ 'a.txt': '', 'b.txt': Uint8Array.of(0xff) })));
    expect(error).toBeInstanceOf(EmptyCorpus);
    expect(error).toHaveProperty(
      'message',
      "corpus 'texts' is empty: nothing is left of 2 files (1 empty, 1 not UTF-8); " +
        'point its glob at text files or raise max_file_bytes',
    );
  });

  it('joins all string values of a JSON file in file order', async () => {
    const json = JSON.stringify({ b: 'one', a: ['two', 3, { c: 'three' }], d: null });
    const folder = scratchFolder({ 'm.json': json });
    expect(await textOf(spec({ globs: ['*.json'], format: 'json_strings' }), folder)).toBe('one\ntwo\nthree|');
  });

  it('refuses a file that is not JSON where the corpus says it is', async () => {
    const folder = scratchFolder({ 'm.json': '{"a"' });
    const error = await rejectionOf(textOf(spec({ globs: ['*.json'], format: 'json_strings' }), folder));
    expect(error).toBeInstanceOf(UnreadableFile);
    expect(error).toHaveProperty('path', join(folder, 'm.json'));
    expect(error).toHaveProperty(
      'message',
      expect.stringMatching(/^corpus 'texts': cannot use .*: it is not JSON: .*; exclude it/),
    );
  });

  it('reads a text and a JSON file without their byte order mark', async () => {
    const mark = '\ufeff';
    const folder = scratchFolder({
      'a.txt': `${mark}one`,
      'b.txt': 'two',
      'c.txt': mark,
      'a.json': `${mark}["three"]`,
    });
    expect(await textOf(spec(), folder)).toBe('one|two|');
    expect(await textOf(spec({ globs: ['*.json'], format: 'json_strings' }), folder)).toBe('three|');
  });

  it('refuses a UTF-16 text by name, and leaves out what only begins as one', async () => {
    const utf16 = Buffer.from('\ufeffDear reader', 'utf16le');
    const folder = scratchFolder({ 'a.txt': 'kept', 'b.txt': Buffer.from([0xff, 0xfe, 0x00]), 'c.md': utf16 });
    expect((await find(spec(), folder)).skipped.notUtf8).toBe(1);
    for (const text of [utf16, Buffer.from(utf16).swap16()]) {
      writeFileSync(join(folder, 'c.md'), text);
      expect(await rejectionOf(find(spec({ globs: ['*.md'] }), folder))).toHaveProperty(
        'message',
        `corpus 'texts': cannot use ${join(folder, 'c.md')}: it is UTF-16, not UTF-8 text; save it as UTF-8 or exclude it`,
      );
    }
  });

  it('leaves out what runs have written, wherever it was moved to, and says how many files that were', async () => {
    const digest = 'a'.repeat(64);
    const folder = scratchFolder({
      'a.txt': 'text',
      'config.yaml': 'mine: true',
      'checkpoints/notes.txt': 'mine too',
      'runs/one/config.yaml': 'name: one',
      'runs/one/metrics.jsonl': '{}',
      'runs/one/events.jsonl': '{}',
      'runs/one/checkpoints/step-000004.g1/manifest.json': '{}',
      'failed/config.yaml': 'name: failed',
      'best/step-000004.g1/model.safetensors': 'x',
      'best/step-000004.g1/manifest.json': '{}',
      [`packed/${digest}/texts.bin`]: 'x',
      [`packed/${digest}/index.json`]: '{}',
    });
    mkdirSync(join(folder, 'failed', 'checkpoints'));
    renameSync(join(folder, 'runs', 'one'), join(folder, 'kept elsewhere'));
    const { files, skipped, filesFound } = await find(spec({ globs: ['**/*'] }), folder);
    expect(files.map(({ name }) => name)).toEqual(['a.txt', 'checkpoints/notes.txt', 'config.yaml']);
    expect([skipped.ownOutput, filesFound]).toEqual([9, 12]);
    expect(await rejectionOf(find(spec({ globs: ['best/**'] }), folder))).toHaveProperty(
      'message',
      "corpus 'texts' is empty: all 2 files are what runs of Troupe have written; correct data.blend",
    );
  });

  it('refuses a glob of too many patterns at once', async () => {
    const error = await rejectionOf(find(spec({ globs: ['{a,b}'.repeat(21)] }), scratchFolder({ 'a.txt': 'a' })));
    expect(error).toBeInstanceOf(EmptyCorpus);
    expect(error).toHaveProperty(
      'message',
      expect.stringMatching(/\{a,b\}' stands for more than 4096 patterns; correct/),
    );
  });
});
