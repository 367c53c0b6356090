/** Compressed files of a corpus: the text in them, however many members it is in, and what is said where one is damaged. */
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { BytesTokenizer, PackPool, hashU32, packBlend, packCorpus, rehearseBlend } from '../../src/data/index.ts';
import type { CorpusSpec, PackedIndex } from '../../src/data/index.ts';
import { GzipFile } from '../../src/data/gzip_file.ts';
import { allOf, interruptedPool, poolOfFile, rejectionOf, scratchFolder, spec } from './scratch.ts';

const pool = poolOfFile();
const zip = (text: string | Uint8Array, level = 6): Buffer => gzipSync(text, { level });
const row = (text: string): string => `${JSON.stringify({ text })}\n`;
const fields = { tokenizer: new BytesTokenizer(), heldOutFraction: 0.1, blockTokens: 4096, seed: 1 };

async function indexOf(folder: string, of: Partial<CorpusSpec> = {}): Promise<PackedIndex & { readonly text: string }> {
  const options = { baseDir: folder, cacheDir: join(folder, 'cache'), ...fields };
  const { corpus } = await packCorpus(spec({ globs: ['*.*'], ...of }), options, pool);
  return { ...corpus.index, text: Buffer.from(allOf(corpus)).toString().replaceAll('\0', '|') };
}

async function contentOf(bytes: Uint8Array): Promise<Buffer> {
  await using file = new GzipFile(join(scratchFolder({ 'a.gz': bytes }), 'a.gz'));
  const parts: Buffer[] = [];
  const room = Buffer.alloc(100_000);
  for (let got = -1; got !== 0;) {
    got = await file.read(room, 7, 90_000);
    parts.push(Buffer.from(room.subarray(7, 7 + got)));
  }
  return Buffer.concat(parts);
}

describe('a gzip file', () => {
  it('has the text of all its members, with zeros between or behind them', async () => {
    const [one, two, none] = [zip('one '), zip('two'), zip('')];
    const zeros = Buffer.alloc(5);
    const cases = [
      [one, two],
      [one, none, two],
      [one, zeros, two],
      [one, zeros, zeros, two, zeros],
      [one, two, zeros],
    ];
    for (const members of cases) expect((await contentOf(Buffer.concat(members))).toString()).toBe('one two');
    expect(await contentOf(none)).toHaveLength(0);
  });

  it('is read to its end wherever blocks of it end', async () => {
    // Stored as it is, so that the first member ends near the end of the first block that is read.
    const overhead = zip(Buffer.alloc(2 ** 18 - 100), 0).length - (2 ** 18 - 100);
    for (const near of [-9, -2, -1, 0, 1, 2]) {
      const first = Buffer.alloc(2 ** 18 - overhead + near, 'abc');
      const members = [zip(first, 0), Buffer.alloc(2), zip('second'), zip('third')];
      const content = await contentOf(Buffer.concat(members));
      expect([near, content.length]).toEqual([near, first.length + 11]);
      expect(content.subarray(-11).toString()).toBe('secondthird');
    }
  });

  it('is a text or rows as its name is without .gz', async () => {
    const folder = scratchFolder({
      'a.txt.gz': zip('\ufeffone'),
      'b.jsonl.gz': zip(`\ufeff${row('two')}\r\n${row('')}${row('three')}`),
      'c.txt': 'four',
      'd.ndjson.GZ': Buffer.concat([zip(row('five')), zip(row('six'))]),
    });
    const { text, documentCount, emptyRows, bytes, textBytes } = await indexOf(folder);
    expect(text).toBe('one|two|three|four|five|six|');
    expect([documentCount, emptyRows, textBytes]).toEqual([6, 1, text.length - 6]);
    expect(bytes).toBe(
      6 + 4 + 3 + [row('two'), row(''), row('three'), row('five'), row('six'), '\r\n'].join('').length,
    );
    const strings = scratchFolder({ 'a.json.gz': zip('["one", {"a": "two"}]') });
    expect((await indexOf(strings, { format: 'json_strings' })).text).toBe('one\ntwo|');
  });

  it('is known by its content: compressed otherwise it is the same, and no second file beside the plain one', async () => {
    const text = row('the same').repeat(1000);
    const digests = [1, 9].map(
      async (level) => (await indexOf(scratchFolder({ 'a.jsonl.gz': zip(text, level) }))).digest,
    );
    expect(await digests[0]).toBe(await digests[1]);
    const { skipped, documentCount } = await indexOf(scratchFolder({ 'a.jsonl': text, 'a.jsonl.gz': zip(text) }));
    expect([skipped.duplicate, documentCount]).toEqual([1, 1000]);
  });

  it('is measured unpacked by max_file_bytes, and read no further', async () => {
    const large = 'x'.repeat(2 ** 22);
    const folder = scratchFolder({ 'a.txt.gz': zip(large), 'b.txt.gz': zip('small'), 'c.jsonl.gz': zip(row(large)) });
    const { text, skipped } = await indexOf(folder, { maxFileBytes: 2 ** 20 });
    expect([text.length, skipped.tooLarge]).toEqual(['small|'.length + large.length + 1, 1]);
  });

  it.each([
    ['cut short', zip('x'.repeat(9999)).subarray(0, -5), 'unexpected end of file'],
    [
      'cut short in its second member',
      Buffer.concat([zip('one'), zip('two').subarray(0, 9)]),
      'unexpected end of file',
    ],
    ['damaged', zip('some text that is damaged').fill(0x55, 12, 20), expect.stringMatching(/^(invalid|incorrect) /)],
    ['of another kind', Buffer.from('plain text'), 'incorrect header check'],
    ['followed by something else', Buffer.concat([zip('one'), Buffer.from('else')]), 'incorrect header check'],
    ['empty', Buffer.alloc(0), 'unexpected end of file'],
  ])('is refused by name where it is %s', async (_what, bytes, reason) => {
    for (const name of ['a.txt.gz', 'a.jsonl.gz']) {
      const folder = scratchFolder({ [name]: bytes });
      const error = await rejectionOf(indexOf(folder));
      expect(error).toMatchObject({ tag: 'UnreadableFile', path: join(folder, name), line: null });
      const [, said] = /: it is no whole gzip file: (.*); restore or exclude it$/.exec(String(error)) ?? [];
      expect(said).toEqual(reason);
    }
  });
});

describe('rows in a gzip file', () => {
  const rows = Array.from({ length: 40_000 }, (_, at) => row('wörd '.repeat(hashU32(at) % 60))).join('');

  it('give the same stream on 1 and on 4 threads, and plain, and rehearsed', async () => {
    const streams = [];
    for (const [name, bytes, threads] of [
      ['a.jsonl', Buffer.from(rows), 2],
      ['a.jsonl.gz', zip(rows), 1],
      ['a.jsonl.gz', zip(rows), 4],
    ] as const) {
      const folder = scratchFolder({ [name]: bytes, 'b.txt': 'between', 'c.txt.gz': zip('behind') });
      const options = { baseDir: folder, corpora: [spec({ globs: ['*.*'] })], threads, ...fields };
      const rehearsed = (await rehearseBlend(options)).blend.corpora[0].index;
      const { sha256, ...index } = (await packBlend({ ...options, cacheDir: join(folder, 'cache') })).blend.corpora[0]
        .index;
      expect(rehearsed).toEqual({ ...index, sha256: '' });
      streams.push([sha256, index.tokenCount, index.documentCount, index.emptyRows, index.textBytes, index.bytes]);
    }
    expect(streams[1]).toEqual(streams[0]);
    expect(streams[2]).toEqual(streams[0]);
  });

  it('name a bad row by its line', async () => {
    const folder = scratchFolder({ 'a.jsonl.gz': zip(`${rows}{"text": 5}\n`) });
    expect(await rejectionOf(indexOf(folder))).toMatchObject({ path: join(folder, 'a.jsonl.gz'), line: 40_001 });
  });

  it('are refused where the file changes while it is packed', async () => {
    const folder = scratchFolder({ 'a.jsonl.gz': zip(rows) });
    for (const changed of [zip(rows.replaceAll('w', 'v')), zip(rows.slice(0, 300_000)), Buffer.from('gone')]) {
      class Changing extends PackPool {
        override async examine(task: Parameters<PackPool['examine']>[0]): ReturnType<PackPool['examine']> {
          const examined = await super.examine(task);
          writeFileSync(join(folder, 'a.jsonl.gz'), changed);
          return examined;
        }
      }
      writeFileSync(join(folder, 'a.jsonl.gz'), zip(rows));
      await using changing = new Changing({ threads: 1 });
      const options = { baseDir: folder, cacheDir: join(folder, 'cache'), ...fields };
      expect(await rejectionOf(packCorpus(spec({ globs: ['*.gz'] }), options, changing))).toHaveProperty(
        'message',
        expect.stringMatching(/a\.jsonl\.gz: it changed while it was being packed; launch again$/),
      );
    }
  });

  it('leave nothing behind where packing is aborted', async () => {
    const folder = scratchFolder({ 'a.jsonl.gz': zip(rows.repeat(3)) });
    await using interrupted = interruptedPool();
    const options = { baseDir: folder, cacheDir: join(folder, 'cache'), ...fields };
    const error = await rejectionOf(packCorpus(spec({ globs: ['*.gz'] }), options, interrupted));
    expect(error).toHaveProperty('message', 'interrupted');
    const left = readdirSync(join(folder, 'cache'), { recursive: true, encoding: 'utf8' });
    expect(left.filter((name) => name.includes('.'))).toEqual([]);
  });
});
