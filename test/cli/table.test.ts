/** Tables in plain text. */
import { expect, test } from 'vitest';
import { numbers, table, words } from '../../src/cli/table.ts';

const columns = [words('role'), numbers('MiB'), words('worker')];

test('words are flush left, numbers flush right, and no line ends in spaces', () => {
  const rows = [
    ['stage', '1.50', 'node-0.worker-0'],
    ['experts', '12.25', 'w'],
  ];
  expect(table(columns, rows)).toEqual([
    'role       MiB  worker',
    'stage     1.50  node-0.worker-0',
    'experts  12.25  w',
  ]);
});

test('rows past the most are counted and left out', () => {
  const rows = Array.from({ length: 5 }, (_, i) => [`r${i}`, String(i), 'w']);
  expect(table(columns, rows, 2)).toEqual([
    'role  MiB  worker',
    'r0      0  w',
    'r1      1  w',
    '... and 3 more; --json has all',
  ]);
  expect(table(columns, rows, 5)).toHaveLength(6);
  expect(table(columns, rows, 2, 9, 9).at(-1)).toBe('... and 7 more; --json has all');
  expect(table(columns, rows, 2, 9, 8).at(-1)).toBe('... and 7 more; --json has the first 8');
});

test('without rows there are only titles', () => {
  expect(table(columns, [])).toEqual(['role  MiB  worker']);
});
