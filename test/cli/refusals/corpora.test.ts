/**
 * Texts and tokenizers that a run cannot use: one line before anything is trained, exit code 1, and every text as it was.
 * A dry run says the same, but for what is wrong with the place for packed texts.
 */
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { at, folder, prepareFolder } from '../training.ts';
import { plainly, refusalHere, refusalOf } from './refusal.ts';

const json = ', format: json_strings';

beforeAll(() => {
  prepareFolder();
  mkdirSync(at('odd'));
  writeFileSync(at('odd', 'binary.txt'), Buffer.from([255, 254, 0]));
  writeFileSync(at('odd', 'empty.txt'), '');
  writeFileSync(at('odd', 'large.txt'), 'x'.repeat(2 ** 20 + 1));
  writeFileSync(at('odd', 'open.json'), '{"a": [');
  writeFileSync(at('odd', 'chat.jsonl'), '{"text": "fine"}\n{"messages": []}\n');
  writeFileSync(at('odd', 'short.md'), 'hi\n');
  symlinkSync('nowhere', at('odd', 'loose.link'));
  writeFileSync(at('bare.json'), '{}');
  writeFileSync(at('text.json'), 'Dear reader');
  writeFileSync(at('other.json'), '{"model":{"type":"BPE","vocab":{"a":0},"merges":["a b"]}}');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('a dry run and a launch hear of', () => {
  test.each([
    ['a glob that matches nothing', 'none/*.txt', "glob 'none/*.txt' matches no file below DIR; correct data.blend"],
    ['a file that is empty', 'odd/empty.txt', 'nothing is left of 1 file (1 empty)'],
    [
      'files that are each unfit',
      'odd/*.txt',
      'nothing is left of 3 files (1 empty, 1 over 1048576 bytes, 1 not UTF-8)',
    ],
    ['a link to nowhere', 'odd/*.link', 'nothing is left of 1 file (1 not a file, or gone)'],
  ])('%s', async (_what, glob, reason) => {
    const remedy = reason.startsWith('nothing') ? '; point its glob at text files or raise max_file_bytes' : '';
    const line = `troupe: corpus 'a' is empty: ${reason}${remedy}`;
    expect(await refusalHere(['launch', 'tiny.yaml', '--dry-run', '--set', blendOf(glob)])).toEqual(plainly(line, 1));
  });

  test.each([
    [
      'is missing',
      'none.json',
      "cannot read DIR/none.json: ENOENT: no such file or directory, open 'DIR/none.json'; check data.tokenizer",
    ],
    ['is a folder', 'odd', 'cannot read DIR/odd: EISDIR: illegal operation on a directory, read; check data.tokenizer'],
    [
      'is no JSON',
      'text.json',
      `DIR/text.json is no tokenizer file: Unexpected token 'D', "Dear reader" is not valid JSON; check data.tokenizer`,
    ],
    [
      'has no model',
      'bare.json',
      'DIR/bare.json is no tokenizer file: model: Invalid input: expected object, received undefined; check data.tokenizer',
    ],
    [
      'is not understood',
      'other.json',
      'DIR/other.json is not understood: Token `b` out of vocabulary at line 1 column 56; use a fast tokenizer file',
    ],
  ])('a tokenizer that %s, as does plan', async (_what, file, reason) => {
    const verb = file === 'none.json' ? ['launch', 'tiny.yaml', '--run-dir', 'new'] : ['plan', 'tiny.yaml'];
    const line = `troupe: tokenizer 'hf:${file}': ${reason}`;
    expect(await refusalHere([...verb, '--set', `data.tokenizer=hf:${file}`])).toEqual(plainly(line, 1));
  });

  test.each([
    ['launch', ['--dry-run'], blendOf('odd/*.txt')],
    ['plan', [], 'data.tokenizer=hf:other.json'],
  ])('it in a process of its own too: %s %j --set %s', async (verb, more, set) => {
    const args = [verb, 'tiny.yaml', ...more, '--set', set];
    const inProcess = refusalOf(args);
    expect(inProcess).toEqual({ ...plainly('', 1), lines: [expect.stringMatching(/^troupe: /)] });
    expect(inProcess).toEqual(await refusalHere(args));
  });
});

describe('a launch, and if it writes nothing a dry run, hears of', () => {
  test.each([
    [
      'a text that is shorter than a sequence',
      blendOf('odd/short.md'),
      "data blend: corpus 'a' has 4 tokens to train on, no 17 of them in a row; give it more text or shorten training.sequence_length",
    ],
    [
      'a file that is not of its format',
      blendOf('odd/open.json', json),
      "corpus 'a': cannot use DIR/odd/open.json: it is not JSON: Unexpected end of JSON input; exclude it or use format 'text'",
    ],
    [
      'a row of another kind',
      blendOf('odd/*.jsonl'),
      "corpus 'a': cannot use DIR/odd/chat.jsonl:2: it has 'messages' and no 'text': a row of a chat, not of text; use it as data.rows, or name the key of its text by columns",
    ],
    [
      'a cache that is a file',
      'data.cache_dir=tiny.yaml',
      expect.stringMatching(
        /^troupe: cannot write the packed corpus below DIR\/tiny\.yaml\/[0-9a-f]{64}: ENOTDIR: .+; remove what is in its place, or set data\.cache_dir to another folder$/,
      ),
    ],
  ])('%s', async (_what, set, line) => {
    const { lines, exitCode, changed, made } = refusalOf([
      'launch',
      'tiny.yaml',
      '--quiet',
      '--run-dir',
      'run',
      '--set',
      set,
    ]);
    expect(lines).toEqual([typeof line === 'string' ? `troupe: ${line}` : line]);
    expect([exitCode, changed]).toEqual([1, []]);
    if (typeof line === 'string') {
      const dry = await refusalHere(['launch', 'tiny.yaml', '--dry-run', '--set', set]);
      expect(dry).toEqual(plainly(`troupe: ${line}`, 1));
    }
    expect(made.filter((name) => !name.startsWith('.corpora/'))).toEqual([
      ...['run/', 'run/checkpoints/', 'run/config.yaml', 'run/events.jsonl', 'run/metrics.jsonl'],
    ]);
    rmSync(at('run'), { recursive: true });
  });
});

function blendOf(glob: string, more = ''): string {
  return `data.blend=[{name: a, glob: "${glob}"${more}}]`;
}
