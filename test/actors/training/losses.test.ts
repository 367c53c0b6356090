/** The losses of a pass: means over elements, in total and by corpus, whatever order the sums come in. */
import { describe, expect, it } from 'vitest';
import type { Sum } from '../../../src/actors/protocol/report.ts';
import { lossesOf } from '../../../src/actors/training/losses.ts';

const sumOf = (name: string, microbatch: number, sum: number, weight: number, corpus = ''): Sum => ({
  name,
  corpus,
  microbatch,
  sum,
  weight,
});

describe('losses', () => {
  it('are means over elements, not over microbatches', () => {
    expect(lossesOf([sumOf('loss', 0, 8, 4), sumOf('loss', 1, 1, 1)])).toEqual({
      loss: 9 / 5,
      bitsPerByte: null,
      losses: {},
    });
  });

  it('are not a number without elements, so that nobody takes it for one', () => {
    expect(lossesOf([]).loss).toBeNaN();
  });

  it('of text are in bits per byte too: bits of all tokens over bytes of all tokens', () => {
    const sums = [sumOf('loss', 0, 6 * Math.LN2, 2), sumOf('bytes', 0, 8, 0), sumOf('bytes', 1, 4, 0)];
    expect(lossesOf([...sums, sumOf('loss', 1, 6 * Math.LN2, 1)]).bitsPerByte).toBe(1);
  });

  it('have what else is reported by its name, and everything by corpus', () => {
    const sums = [
      sumOf('loss', 0, 3, 3),
      sumOf('loss', 0, 2 * Math.LN2, 1, 'docs'),
      sumOf('loss', 0, 1, 2, 'code/c'),
      sumOf('bytes', 0, 4, 0, 'docs'),
      sumOf('helpfulness', 0, 5, 2),
      sumOf('helpfulness', 1, 1, 2),
    ];
    expect(lossesOf(sums).losses).toEqual({
      'loss/docs': 2 * Math.LN2,
      'bits_per_byte/docs': 0.5,
      'loss/code/c': 0.5,
      helpfulness: 1.5,
    });
  });

  it('leave out a corpus of which the pass had nothing', () => {
    expect(lossesOf([sumOf('loss', 0, 1, 1), sumOf('loss', 0, 0, 0, 'docs')]).losses).toEqual({});
  });

  it('are the same bits in any order', () => {
    const sums = Array.from({ length: 9 }, (_, i) => sumOf('loss', i, 10 ** ((i * 5) % 9), 1));
    expect(lossesOf(sums.toReversed())).toEqual(lossesOf(sums));
  });
});
