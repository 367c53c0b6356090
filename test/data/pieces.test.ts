/** Texts in pieces: they are the text, they end where that is allowed, and UTF-8 is told from what is none. */
import { isUtf8 } from 'node:buffer';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { hashU32 } from '../../src/data/index.ts';
import { cuttings, PieceReader, Uncuttable, type Cutting } from '../../src/data/pieces.ts';
import { Utf8Check } from '../../src/data/utf8_check.ts';
import { rejectionOf, scratchFolder } from './scratch.ts';

async function piecesOf(
  text: string,
  cutting: Partial<Cutting>,
  rule: keyof typeof cuttings = 'lines',
): Promise<string[]> {
  const path = join(scratchFolder({ 'a.txt': text }), 'a.txt');
  const pieces: string[] = [];
  const reader = new PieceReader();
  for await (const piece of reader.read(path, { ...cuttings[rule], ...cutting }, Infinity))
    pieces.push(piece.toString());
  return pieces;
}

describe('pieces of a file', () => {
  it('are cut after any byte where the tokenizer has no words', async () => {
    expect(await piecesOf('abcdefgh', { target: 3, most: 3 }, 'bytes')).toEqual(['abc', 'def', 'gh']);
    expect(await piecesOf('abcdef', { target: 3, most: 3 }, 'bytes')).toEqual(['abc', 'def']);
    expect(await piecesOf('', { target: 3, most: 3 }, 'bytes')).toEqual([]);
  });

  it('are cut after a line break between a visible character and a letter or digit, and no other', async () => {
    const text = 'aaaa\n\nb \nc\n d\n/e\n2\u3000\nf\u2003\n\u00a0g\u2019\n世é\nhi\n';
    expect(await piecesOf(text, { target: 1 })).toEqual([
      'aaaa\n\nb \nc\n d\n/e\n',
      '2\u3000\nf\u2003\n\u00a0g\u2019\n世é\n',
      'hi\n',
    ]);
  });

  it('grow until there is a place to cut, up to a limit', async () => {
    const text = `${'a'.repeat(90)}\nb`;
    expect(await piecesOf(text, { target: 10, most: 95 })).toEqual([`${'a'.repeat(90)}\n`, 'b']);
    expect(await piecesOf('a'.repeat(95), { target: 10, most: 95 })).toEqual(['a'.repeat(95)]);
    expect(await rejectionOf(piecesOf('a'.repeat(96), { target: 10, most: 95 }))).toBeInstanceOf(Uncuttable);
    expect(await rejectionOf(piecesOf('a\nb\nc', { target: 4, most: 4 }, 'whole'))).toBeInstanceOf(Uncuttable);
  });

  it('are cut between the lines of rows, and a line of its own size is one', async () => {
    expect(await piecesOf('aa\nbb\ncccccc\nd\n\nee', { target: 7, most: 10 }, 'rows')).toEqual([
      'aa\nbb\n',
      'cccccc\n',
      'd\n\nee',
    ]);
    expect(await piecesOf(`aa\n${'b'.repeat(9)}\ncc`, { target: 4, most: 10 }, 'rows')).toEqual([
      'aa\n',
      `${'b'.repeat(9)}\n`,
      'cc',
    ]);
    expect(await rejectionOf(piecesOf('b'.repeat(11), { target: 4, most: 10 }, 'rows'))).toBeInstanceOf(Uncuttable);
  });

  it('together are a file that takes many reads', async () => {
    const text = Array.from({ length: 60_000 }, (_, i) => `line ${hashU32(i)}\n`).join('');
    const pieces = await piecesOf(text, { target: 100_000 });
    expect(pieces.join('')).toBe(text);
    expect(pieces.length).toBe(10);
  });
});

describe('UTF-8 in pieces', () => {
  const samples = ['aé世𝄞b', '\ufeffx', 'é', '\u{10ffff}'].map((text) => Buffer.from(text));
  const broken = [
    [0xff],
    [0xc3],
    [0xc3, 0x28],
    [0xe4, 0xb8],
    [0xed, 0xa0, 0x80],
    [0xf5, 0x80, 0x80, 0x80],
    [0x80],
    [0xc0, 0xaf],
  ];
  const texts = [...samples, ...broken.flatMap((bytes) => [Buffer.from(bytes), Buffer.from([0x61, ...bytes, 0x62])])];

  it('is what it is as a whole, wherever it is cut', () => {
    for (const text of texts) {
      for (let a = 0; a <= text.length; a++) {
        for (let b = a; b <= text.length; b++) {
          const check = new Utf8Check();
          const parts = [text.subarray(0, a), text.subarray(a, b), text.subarray(b)].filter((part) => part.length > 0);
          const isAccepted = parts.every((part) => check.accepts(part)) && check.isWhole;
          expect([text, a, b, isAccepted]).toEqual([text, a, b, isUtf8(text)]);
        }
      }
    }
  });
});
