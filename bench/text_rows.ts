/**
 * Rows of text for a benchmark, as many bytes of them as are wanted: lines of 200 bytes to 20 kB, small and large ones
 * equally likely by their logarithm, with escapes and with characters of two, three and four bytes. The same for a seed.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import { hashU32 } from '../src/data/index.ts';

const words = [
  ...['the', 'river', 'a', 'model', 'of', 'tokens', 'and', 'experts', 'in', 'training', 'which', 'we', 'read'],
  ...[
    'über',
    'naïve',
    'Füße',
    '世界',
    'токен',
    '😀',
    '"quoted"',
    'C:\\path',
    'line\n',
    'tab\t',
    'every',
    'other',
    'word',
  ],
];
const LEAST_BYTES = 200;
const MOST_BYTES = 20_000;
const CHUNK_BYTES = 2 ** 22;

/** Writes the file; returns the bytes that it has, some more than asked for. */
export function writeTextRows(path: string, bytes: number, seed: number): number {
  const file = openSync(path, 'w');
  let written = 0;
  try {
    for (let row = 0; written < bytes;) {
      let chunk = '';
      while (chunk.length < CHUNK_BYTES && written + chunk.length < bytes) chunk += `${rowOf(seed, row++)}\n`;
      written += writeSync(file, chunk);
    }
  } finally {
    closeSync(file);
  }
  return written;
}

/** Many different ones, made once: a row is put together of them, which takes no time beside what is measured. */
const phrases = Array.from({ length: 4096 }, (_, phrase) =>
  Array.from({ length: 20 }, (_, word) => words[hashU32(phrase, word) % words.length]).join(' '),
);

function rowOf(seed: number, row: number): string {
  const share = hashU32(seed, row) / 2 ** 32;
  const length = LEAST_BYTES * (MOST_BYTES / LEAST_BYTES) ** share;
  let text = '';
  for (let at = 0; text.length < length; at++) text += `${phrases[hashU32(seed, row, at) % phrases.length]}. `;
  return JSON.stringify({ id: row, text, source: 'made' });
}
