/** Texts that are rows of JSONL files: which documents they are, how their files are read, and what is said of a bad row. */
import { existsSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { BytesTokenizer, EmptyCorpus, hashU32, loadTokenizer, packBlend, packCorpus } from '../../src/data/index.ts';
import type { CorpusSpec, PackResult, Tokenizer } from '../../src/data/index.ts';
import { allOf, poolOfFile, rejectionOf, scratchFolder, spec } from './scratch.ts';

const pool = poolOfFile();
const rows = (...texts: readonly string[]): string => texts.map((text) => `${JSON.stringify({ text })}\n`).join('');

function packed(
  folder: string,
  fields: Partial<CorpusSpec> = {},
  tokenizer: Tokenizer = new BytesTokenizer(),
): Promise<PackResult> {
  const options = {
    baseDir: folder,
    tokenizer,
    cacheDir: join(folder, 'cache'),
    heldOutFraction: 0.1,
    blockTokens: 4096,
  };
  return packCorpus(spec({ globs: ['*.*'], ...fields }), options, pool);
}

/** What is trained on, documents ended by `|`. */
async function textOf(folder: string, fields: Partial<CorpusSpec> = {}): Promise<string> {
  const { corpus } = await packed(folder, fields);
  return Buffer.from(allOf(corpus)).toString().replaceAll('\0', '|');
}

describe('a JSONL file', () => {
  it('is a document a row, beside plain files of the same glob', async () => {
    const folder = scratchFolder({
      'a.jsonl': rows('one', 'two\nlines “é𝄞”'),
      'b.txt': 'three',
      'c.NDJSON': '{"id": 4, "text": "fo\\u0075r", "meta": {"text": "none"}}',
    });
    const { corpus } = await packed(folder);
    expect(Buffer.from(allOf(corpus)).toString()).toBe('one\0two\nlines “é𝄞”\0three\0four\0');
    const { documentCount, emptyRows, textBytes, tokenCount, filesFound } = corpus.index;
    expect({ documentCount, emptyRows, filesFound }).toEqual({ documentCount: 4, emptyRows: 0, filesFound: 3 });
    expect(textBytes).toBe(tokenCount - documentCount);
  });

  it.each([
    ['a byte order mark', '\ufeff{"text": "a"}\n{"text": "b"}\n'],
    ['carriage returns', '{"text": "a"}\r\n{"text": "b"}\r\n'],
    ['blank lines', '\n{"text": "a"}\n\r\n \t\n{"text": "b"}\n\n'],
    ['no newline at its end', '{"text": "a"}\n{"text": "b"}'],
    ['spaces around its rows', ' {"text" : "a"} \n\t{ "text": "b" }\n'],
    ['rows without text', '{"text": ""}\n{"text": "a"}\n{"text": "b"}\n{"text": ""}'],
  ])('may have %s', async (_what, jsonl) => {
    expect(await textOf(scratchFolder({ 'a.jsonl': jsonl }))).toBe('a|b|');
  });

  it('counts rows without text, and is empty with nothing but blank lines', async () => {
    const folder = scratchFolder({ 'a.jsonl': rows('', 'a', ''), 'b.jsonl': '\ufeff\n\r\n  \n', 'c.jsonl': '' });
    const { index } = (await packed(folder)).corpus;
    expect([index.documentCount, index.emptyRows, index.skipped.empty]).toEqual([1, 2, 2]);
    const error = await rejectionOf(packed(scratchFolder({ 'a.jsonl': rows('', '') })));
    expect(error).toBeInstanceOf(EmptyCorpus);
    expect(error).toHaveProperty(
      'message',
      expect.stringMatching(/is empty: all 2 rows have an empty text; point its/),
    );
  });

  it('keeps characters of several bytes whole wherever blocks and pieces of it end', async () => {
    // 3 bytes each, after a head of every length: so a block ends at each byte of one.
    for (const head of ['', 'a', 'ab']) {
      const texts = Array.from({ length: 300 }, (_, row) => head + '世'.repeat(hashU32(row) % 1500));
      const folder = scratchFolder({ 'a.jsonl': rows(...texts) });
      expect(await textOf(folder)).toBe(
        texts
          .filter((text) => text !== '')
          .map((text) => `${text}|`)
          .join(''),
      );
    }
  });

  it('may be larger than max_file_bytes, and is left out once where another is equal', async () => {
    const folder = scratchFolder({ 'a.jsonl': rows('one', 'two'), 'b.jsonl': rows('one', 'two'), 'c.txt': 'three!' });
    expect(await textOf(folder, { maxFileBytes: 5 })).toBe('one|two|');
    const { skipped } = (await packed(folder, { maxFileBytes: 5 })).corpus.index;
    expect([skipped.duplicate, skipped.tooLarge]).toEqual([1, 1]);
  });

  it('has the text of its rows under the key that the corpus names', async () => {
    const folder = scratchFolder({ 'a.jsonl': '{"text": "no", "body": "yes"}\n' });
    expect(await textOf(folder, { textKey: 'body' })).toBe('yes|');
    const digests = new Set<string>();
    for (const fields of [{}, { textKey: 'body' }, { format: 'text' as const }]) {
      digests.add((await packed(folder, fields)).corpus.digest);
    }
    expect(digests.size).toBe(3);
  });

  it('is what the format says, whatever its name', async () => {
    const row = '{"text": "one"}\n';
    const folder = scratchFolder({ 'a.jsonl': row, 'b.txt': rows('two') });
    expect(await textOf(folder, { format: 'text' })).toBe(`${row}|${rows('two')}|`);
    expect(await textOf(folder, { format: 'jsonl' })).toBe('one|two|');
    const digest = async (format: 'auto' | 'jsonl'): Promise<string> =>
      (await packed(folder, { format, globs: ['a.jsonl'] })).corpus.digest;
    expect(await digest('jsonl')).toBe(await digest('auto'));
  });

  it('has rows of any size up to a limit, which are cut for the tokenizer', async () => {
    const long = `${'wörd '.repeat(2 ** 18)}end`;
    expect(await textOf(scratchFolder({ 'a.jsonl': rows('one', long, 'two') }))).toBe(`one|${long}|two|`);
  });
});

describe('a row that cannot be used is refused by file, line and key:', () => {
  const remedy = {
    json: 'write one JSON object a line, or exclude the file',
    object: "write one object with 'text' a line",
  };
  it.each([
    ['Dear reader', `it is not JSON: Unexpected token 'D', "Dear reader" is not valid JSON; ${remedy.json}`],
    ['{"text": "a', `it is not JSON: Unterminated string in JSON at position 11; ${remedy.json}`],
    ['["text"]', `it is a list, not an object; ${remedy.object}`],
    ['null', `it is null, not an object; ${remedy.object}`],
    ['"text"', `it is the string "text", not an object; ${remedy.object}`],
    ['{}', "it has no 'text'; give it one, or leave the row out"],
    [
      '{"id": 1, "body": "a"}',
      "it has no 'text', only 'id', 'body'; give it one, or name the key of its text, as in columns: { text: 'body' }",
    ],
    [
      '{"a":1,"b":2,"c\\n":3,"d":4,"e":5,"f":6}',
      "it has no 'text', only 'a', 'b', 'c\\n', 'd', 'e' and 1 more; give it one, or name the key of its text by columns",
    ],
    ['{"text": 5}', "'text' is the number 5, not a string; make it a string, or leave the row out"],
    ['{"text": null}', "'text' is null, not a string; make it a string, or leave the row out"],
    ['{"text": ["a"]}', "'text' is a list, not a string; make it a string, or leave the row out"],
    [
      '{"messages": []}',
      "it has 'messages' and no 'text': a row of a chat, not of text; use it as data.rows, or name the key of its text by columns",
    ],
    [
      '{"prompt": "a", "chosen": "b", "rejected": "c"}',
      "it has 'chosen' and no 'text': a row of a preference, not of text; use it as data.rows, or name the key of its text by columns",
    ],
  ])('%s', async (row, line) => {
    const folder = scratchFolder({ 'a.jsonl': `\ufeff${rows('one')}\r\n${row}\r\n${rows('two')}{` });
    const error = await rejectionOf(packed(folder));
    expect(error).toHaveProperty('message', `corpus 'texts': cannot use ${join(folder, 'a.jsonl')}:3: ${line}`);
    expect(error).toMatchObject({ tag: 'UnreadableFile', path: join(folder, 'a.jsonl'), line: 3 });
  });

  it('one of many pieces, by its line', async () => {
    const text = rows('x'.repeat(1000)).repeat(3000);
    const folder = scratchFolder({ 'a.jsonl': `${text}{"text": 1}\n${text}` });
    expect(await rejectionOf(packed(folder))).toHaveProperty('line', 3001);
  });

  it('one that is not UTF-8, where a plain file would be left out', async () => {
    const row = Buffer.from(rows('one'));
    const folder = scratchFolder({
      'a.jsonl': Buffer.concat([row, row, Buffer.from('{"text": "\xe9"}\n', 'latin1'), row]),
    });
    const line = 'it is not UTF-8; save the file as UTF-8 or exclude it';
    expect(await rejectionOf(packed(folder))).toHaveProperty('message', expect.stringContaining(`a.jsonl:3: ${line}`));
    writeFileSync(join(folder, 'a.jsonl'), Buffer.concat([row, Buffer.from([0xe4, 0xb8])]));
    expect(await rejectionOf(packed(folder))).toHaveProperty('message', expect.stringContaining(`a.jsonl:2: ${line}`));
  });

  it('a line that is too long, and a text too long for a tokenizer that needs it whole', async () => {
    const folder = scratchFolder({ 'a.jsonl': rows('one') });
    // A hole: no disk is written.
    truncateSync(join(folder, 'a.jsonl'), 65 * 2 ** 20);
    const remedy = 'make several rows of it, or leave it out';
    expect(await rejectionOf(packed(folder))).toHaveProperty(
      'message',
      expect.stringContaining(`a.jsonl:2: the line has more than 64 MiB; ${remedy}`),
    );
    writeFileSync(join(folder, 'a.jsonl'), rows('one', 'x'.repeat(5 * 2 ** 20)));
    const file = new URL('golden/tokenizers/llama2_like/tokenizer.json', import.meta.url).pathname;
    expect(await rejectionOf(packed(folder, {}, loadTokenizer(`hf:${file}`, folder)))).toHaveProperty(
      'message',
      expect.stringContaining(
        `a.jsonl:2: its text has more than 4.0 MiB, which this tokenizer encodes as a whole; ${remedy}`,
      ),
    );
    expect(existsSync(join(folder, 'cache'))).toBe(false);
  });

  it('before anything of any corpus is packed', async () => {
    const folder = scratchFolder({ 'a.jsonl': rows('one'), 'b.jsonl': rows('one').repeat(1000) + '{"txt": "a"}' });
    const corpora = ['a', 'b'].map((name) => spec({ name, globs: [`${name}.jsonl`] }));
    const fields = { tokenizer: new BytesTokenizer(), heldOutFraction: 0.1, blockTokens: 4096, seed: 1 };
    const error = await rejectionOf(
      packBlend({ baseDir: folder, cacheDir: join(folder, 'cache'), corpora, ...fields }),
    );
    expect(error).toHaveProperty('line', 1001);
    expect(existsSync(join(folder, 'cache'))).toBe(false);
  });
});
