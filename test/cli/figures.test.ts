/** Numbers as a person reads them. */
import { expect, test } from 'vitest';
import {
  byteUnit,
  count,
  duration,
  flopUnit,
  gib,
  inUnit,
  mebibytes,
  median,
  percent,
  plural,
} from '../../src/cli/figures.ts';

test('counts take the unit that leaves few digits, or that of another count', () => {
  expect([0, 850.4, 999, 1000, 5210, 2_690_176, 46_702_792_704].map((value) => count(value))).toEqual([
    '0',
    '850',
    '999',
    '1.0 k',
    '5.2 k',
    '2.7 M',
    '46.7 B',
  ]);
  expect(count(855_168, 2_690_176)).toBe('0.9 M');
});

test('durations take two units', () => {
  const texts = [0, 41_600, 59_400, 59_600, 200_000, 3_599_000, 3_900_000].map(duration);
  expect(texts).toEqual(['0 s', '42 s', '59 s', '1 min 0 s', '3 min 20 s', '59 min 59 s', '1 h 5 min']);
});

test('memory is in gibibytes', () => {
  expect([0, 256 * 2 ** 20, 1.5 * 2 ** 30].map(gib)).toEqual(['0.0 GiB', '0.3 GiB', '1.5 GiB']);
});

test('shares are percent, and nouns know their plural', () => {
  expect(percent(0.0125)).toBe('1.3 %');
  expect([plural(1, 'worker'), plural(2, 'worker')]).toEqual(['1 worker', '2 workers']);
});

test('the median is the middle value, the lower of two', () => {
  expect(median([5, 1, 3])).toBe(3);
  expect(median([4, 1, 3, 2])).toBe(2);
  expect(median([10, 9, 100])).toBe(10);
  expect(median([])).toBeNaN();
});

test('a table has one unit, that of its largest value, and the digits that fit it', () => {
  const small = byteUnit([0, 1536, 2 ** 20]);
  expect([small.name, inUnit(1536, small), inUnit(2 ** 20, small), inUnit(0, small)]).toEqual([
    'MiB',
    '0.00',
    '1.00',
    '-',
  ]);
  const large = byteUnit([2 ** 30 * 150]);
  expect([large.name, inUnit(2 ** 31, large)]).toEqual(['GiB', '2.0']);
  expect([flopUnit([999]).name, flopUnit([1e9]).name, flopUnit([]).name]).toEqual(['FLOP', 'GFLOP', 'FLOP']);
});

test('a budget is in MiB, as errors have it', () => {
  expect(mebibytes(1.5 * 2 ** 20)).toBe('1.50 MiB');
});
