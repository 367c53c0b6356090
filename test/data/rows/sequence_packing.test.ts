/** How samples lie in sequences: none is lost, none is cut, little room is left, and an interrupt is heard meanwhile. */
import { describe, expect, it } from 'vitest';
import { hashU32 } from '../../../src/data/hash.ts';
import { bestFit, oneEach, type Packing } from '../../../src/data/rows/sequence_packing.ts';

const lengthOf = (sample: number): number => 1 + (hashU32(7, sample) % 100);
const samples = Uint32Array.from({ length: 10_000 }, (_, sample) => sample);
const pause = (): Promise<void> => Promise.resolve();

/** The samples of each sequence. */
const sequencesOf = ({ order, starts }: Packing): number[][] =>
  Array.from(starts.subarray(0, -1), (start, i) => [...order.subarray(start, starts[i + 1])]);

/** The same, as it is defined: by looking through all sequences of one group for the first of those with the least room. */
function plainBestFit(samples: readonly number[], lengths: (sample: number) => number, most: number): number[][] {
  const sequences: { held: number[]; room: number; since: number }[] = [];
  const longestFirst = samples.toSorted((a, b) => lengths(b) - lengths(a) || a - b);
  for (const [turn, sample] of longestFirst.entries()) {
    const length = lengths(sample);
    const fitting = sequences.filter(({ room }) => room >= length);
    let [sequence] = fitting.toSorted((a, b) => a.room - b.room || a.since - b.since);
    sequence ??= sequences[sequences.push({ held: [], room: most, since: 0 }) - 1];
    sequence.held.push(sample);
    sequence.room -= length;
    sequence.since = turn;
  }
  return sequences.map(({ held }) => held.sort((a, b) => a - b)).sort(([a], [b]) => a - b);
}

describe('samples', () => {
  it('have a sequence each, in their own order', () => {
    expect(sequencesOf(oneEach(Uint32Array.of(4, 7, 9)))).toEqual([[4], [7], [9]]);
    expect(oneEach(new Uint32Array())).toEqual({ order: new Uint32Array(), starts: Uint32Array.of(0) });
  });

  it('that are put together are all there, once, and fit', async () => {
    const sequences = sequencesOf(await bestFit(samples, lengthOf, 128, pause));
    expect(sequences.flat().sort((a, b) => a - b)).toEqual([...samples]);
    const lengths = sequences.map((sequence) => sequence.reduce((sum, sample) => sum + lengthOf(sample), 0));
    expect(Math.max(...lengths)).toBeLessThanOrEqual(128);
    expect(lengths.reduce((sum, length) => sum + length, 0) / (128 * sequences.length)).toBeGreaterThan(0.95);
  });

  it('that just fill a sequence, or are one token, leave nothing', async () => {
    const lengths = [128, 127, 1, 64, 64, 128];
    const all = Uint32Array.from(lengths.keys());
    expect(sequencesOf(await bestFit(all, (sample) => lengths[sample], 128, pause))).toEqual([
      [0],
      [1, 2],
      [3, 4],
      [5],
    ]);
  });

  it.each([1, 2, 3, 31, 64, 100, 1000])('lie as by looking through all sequences, %d tokens long', async (most) => {
    for (const count of [0, 1, 2, 50, 700]) {
      const ids = Array.from({ length: count }, (_, i) => 3 * i + (hashU32(most, i) % 3));
      for (const longest of [most, Math.ceil(most / 3)]) {
        const lengths = (sample: number): number => 1 + (hashU32(count, sample) % longest);
        const got = sequencesOf(await bestFit(Uint32Array.from(ids), lengths, most, pause));
        expect(got).toEqual(plainBestFit(ids, lengths, most));
      }
    }
  });

  it('of one group have sequences of their own', async () => {
    const groups = [0, 4096, 8192].map((begin) => [...samples.subarray(begin, begin + 4096)]);
    const apart = [];
    for (const group of groups) {
      apart.push(...sequencesOf(await bestFit(Uint32Array.from(group), lengthOf, 128, pause)));
    }
    expect(sequencesOf(await bestFit(samples, lengthOf, 128, pause))).toEqual(apart);
  });

  it('are laid out no further than the next pause once that throws', async () => {
    const [reason, seen] = [new Error('interrupted'), new Set<number>()];
    const length = (sample: number): number => lengthOf(sample) + 0 * seen.add(sample).size;
    await expect(bestFit(samples, length, 128, () => Promise.reject(reason))).rejects.toBe(reason);
    expect(seen.size).toBe(4096);
  });
});
