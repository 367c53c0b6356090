import { gzipSync } from 'node:zlib';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readRows, readRowTexts, type ReadOptions } from '../../../src/data/rows/row_reader.ts';
import type { RowKind } from '../../../src/data/rows/row.ts';
import { scratchFolder } from '../scratch.ts';

/** One line of each kind, with characters of one to four bytes, and what stands between brackets and quotes. */
const LINES: Readonly<Record<RowKind, string>> = {
  text: '{"text": "é 世界 🙂 \\"]},[{\\\\"}',
  chat: '{"messages": [{"role": "user", "content": "é[{\\"🙂"}, {"role": "assistant", "content": "]}世"}]}',
  preference: '{"prompt": "é", "chosen": "世界", "rejected": "🙂\\\\"}',
  attributes: '{"prompt": "é", "response": "世🙂", "helpfulness": 1}',
};

async function rowsOf(content: string | Uint8Array, options: ReadOptions = {}) {
  const folder = scratchFolder({ rows: content });
  const rows = [];
  for await (const { row, place } of readRows(join(folder, 'rows'), undefined, options))
    rows.push({ row, line: place.line });
  return rows;
}

/** The message that reading ends with, without the folder's name. */
async function messageOf(content: string | Uint8Array, options: ReadOptions = {}): Promise<string> {
  const path = join(scratchFolder({ rows: content }), 'rows');
  try {
    for await (const _ of readRows(path, undefined, options));
  } catch (error) {
    if (error instanceof Error) return error.message.replaceAll(path, 'rows');
  }
  throw new Error('it was read');
}

describe.each(Object.entries(LINES))('rows of kind %s', (kind, line) => {
  const forms: readonly (readonly [string, string, readonly number[]])[] = [
    ['lines', `${line}\n${line}\n`, [1, 2]],
    ['lines without a break at the end', `${line}\n${line}`, [1, 2]],
    ['lines with CRLF', `${line}\r\n${line}\r\n`, [1, 2]],
    ['blank lines', `\n${line}\n \t\r\n\n${line}\n\n`, [2, 5]],
    ['an array', `[${line},${line}]`, [1, 1]],
    ['an array over lines', `\n[\r\n${line}\r\n,\n  ${line}\n]\n`, [3, 5]],
    ['an array of objects over lines', `[${line.replace('{', '{\n').replace(/\}$/, '\n}')},\n${line}]`, [1, 4]],
  ];
  const marks = [
    ['', false],
    ['\ufeff', false],
    ['', true],
    ['\ufeff', true],
  ] as const;
  const all = forms.flatMap(([name, text, lines]) =>
    marks.map(
      ([mark, isCompressed]) =>
        [
          `${name}${mark === '' ? '' : ', marked'}${isCompressed ? ', compressed' : ''}`,
          mark + text,
          isCompressed,
          lines,
        ] as const,
    ),
  );

  test.each(all)('%s, in pieces of any size', async (_, text, isCompressed, lines) => {
    const content = isCompressed ? gzipSync(text) : text;
    const whole = await rowsOf(content);
    expect(whole.map(({ row }) => row.kind)).toEqual([kind, kind]);
    expect(whole.map((each) => each.line)).toEqual(lines);
    expect(whole[0].row).toEqual(whole[1].row);
    for (const pieceBytes of [1, 2, 3, 5, 64]) expect(await rowsOf(content, { pieceBytes })).toEqual(whole);
  });
});

test('a file without rows has none', async () => {
  for (const content of ['', '\n', '\ufeff', ' \r\n\r\n', '[]', ' [ \n ] ', gzipSync('')])
    expect(await rowsOf(content)).toEqual([]);
});

test('compressed files may be several, one after the other', async () => {
  const twice = Buffer.concat([gzipSync('{"text": "a"}\n'), gzipSync('{"text": "b"}\n')]);
  expect((await rowsOf(twice)).map(({ line }) => line)).toEqual([1, 2]);
});

const text = '{"text": "abc"}';

test.each<[string, string | Uint8Array, string]>([
  ['a line that is no JSON', `${text}\n\n{"text": }\n`, 'rows:3: it is not JSON: '],
  ['rows of two kinds', `${text}\n${LINES.chat}\n`, 'rows:2: it is a chat row, those before it are text rows'],
  [
    'a line that is not UTF-8',
    Buffer.concat([Buffer.from(`${text}\n{"text": "`), Buffer.of(0xff), Buffer.from('"}')]),
    'rows:2: it is not UTF-8; save the file as UTF-8',
  ],
  ['a character cut in two by the end', Buffer.from(`${text}\n"é`).subarray(0, -1), 'rows:2: it is not UTF-8'],
  [
    'UTF-16',
    Buffer.from(`\ufeff${text}`, 'utf16le'),
    'cannot read the rows of rows: it is UTF-16, not UTF-8; save it as UTF-8',
  ],
  [
    'an array that does not end',
    `[${text},\n`,
    'rows:2: the array of rows does not end; the file is cut short: restore it',
  ],
  [
    'an array with a number in it',
    `[${text},\n1]`,
    'rows:2: "1" where a row of the array should begin or end; write an array of objects',
  ],
  ['an array with a comma at its end', `[${text},]`, 'rows:1: "]" where a row of the array should begin or end'],
  ['an array without a comma', `[${text}\n${text}]`, 'rows:2: "{" where a row of the array should begin or end'],
  ['something behind an array', `[${text}]\n${text}`, 'rows:2: "{" where the file should end'],
  [
    'compressed data cut short',
    gzipSync(text.repeat(100)).subarray(0, -12),
    'cannot read the rows of rows: its compressed data ends in the middle; restore the file',
  ],
  [
    'compressed data that is damaged',
    gzipSync(text).map((byte, at) => (at === 14 ? byte ^ 0xff : byte)),
    'cannot read the rows of rows: its compressed data is damaged',
  ],
])('%s is refused', async (_, content, message) => {
  expect(await messageOf(content)).toContain(message);
  if (!message.includes('damaged')) expect(await messageOf(content, { pieceBytes: 1 })).toContain(message);
});

test('a row above the limit is refused before it is held, with the line on which it begins', async () => {
  const long = `{"text": "${'x'.repeat(2 ** 20)}"}`;
  for (const content of [`${text}\n${long}`, `[${text},\n${long}]`, gzipSync(`${text}\n${long}`)]) {
    expect(await messageOf(content, { mostRowBytes: 2 ** 19 })).toBe(
      'rows:2: the row has more than 0.5 MiB; cut it, or check that each row has a line of its own',
    );
  }
});

test('a file that is not there is refused', async () => {
  const path = join(scratchFolder(), 'none.jsonl');
  await expect(readRowTexts(path).next()).rejects.toThrow(`cannot read the rows of ${path}: ENOENT; correct the path`);
});
