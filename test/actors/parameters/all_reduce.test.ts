/** The sum over sharers is the plain tree over all leaves, bit for bit, however many there are and whoever speaks first. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CpuDevice } from '../../../src/kernels/cpu/device.ts';
import type { Device } from '../../../src/kernels/device.ts';
import { matrix, scale } from '../../../src/models/parameter.ts';
import { RemoteDevice } from '../../kernels/remote_device.ts';
import { Sharers, type SharerPlace } from './sharers.ts';

const range = (length: number): number[] => Array.from({ length }, (_, i) => i);

/** Two buckets, of which no number of sharers divides the lengths; the second is shorter than a piece of some. */
const parameters = [matrix('a', 50, 13), scale('b', 16), matrix('c', 3, 90)];

/** Sharers that make `each` leaves of all uses. */
const inRanks = (ranks: number, each: number): SharerPlace[] =>
  range(ranks).map((rank) => ({ first: rank * each, count: each, uses: [0] }));

let device: Device;

describe.each([
  ['gives views of its memory', CpuDevice],
  ['gives copies', RemoteDevice],
])('the sum over sharers, by a device that %s,', (_, Kind) => {
  beforeAll(() => {
    device = new Kind({ bytes: 2 ** 24 });
  });
  afterAll(() => device.close());

  it.each([
    [2, 1, 4],
    [2, 3, 1],
    [3, 1, 2],
    [3, 2, 4],
    [4, 1, 1],
    [4, 3, 4],
  ])('of %i with %i microbatches each and %i pieces under way is the plain tree', async (ranks, each, atOnce) => {
    const sharers = await Sharers.create(device, parameters, inRanks(ranks, each), { uses: 1, atOnce });
    for (let seed = 0; seed < 3; seed++) {
      // Two steps by the same sharers: nothing of the first may stay.
      for (const step of [0, 1]) {
        await sharers.step(step, seed + 10 * step);
        for (const sum of await sharers.sums()) expect(sum).toEqual(sharers.expected(step));
      }
    }
    sharers.release();
  });

  it.each([
    ['on two ranks, one use each', 2, [[0], [1]]],
    ['on two stages of two ranks', 2, [[0], [0], [1], [1]]],
    [
      'on two ranks that have both',
      2,
      [
        [0, 1],
        [0, 1],
      ],
    ],
    ['of three on two stages', 3, [[0, 2], [0, 2], [1], [1]]],
  ])('of several uses is the same wherever these live: %s', async (_name, uses, byRank) => {
    for (const microbatches of [2, 4, 6]) {
      const ranksOf = (use: number): number => byRank.filter((own) => own.includes(use)).length;
      const seen = range(uses).map(() => 0);
      const places = byRank.map((own): SharerPlace => {
        const count = microbatches / ranksOf(own[0]);
        const first = seen[own[0]]++ * count;
        return { first, count, uses: own };
      });
      const sharers = await Sharers.create(device, parameters, places, { uses, atOnce: 2 });
      for (const step of [0, 1]) {
        await sharers.step(step, step);
        for (const sum of await sharers.sums()) expect(sum).toEqual(sharers.expected(step));
      }
      sharers.release();
    }
  });

  it('is the same after a step that was abandoned, at any moment of it', async () => {
    const sharers = await Sharers.create(device, parameters, inRanks(3, 2), { uses: 1, atOnce: 1 });
    for (let delivered = 0; delivered < 24; delivered++) {
      await sharers.abandoned(delivered, delivered);
      await sharers.step(7, delivered);
      for (const sum of await sharers.sums()) expect(sum).toEqual(sharers.expected(7));
    }
    sharers.release();
  });

  it('is not there before every piece is, and then once', async () => {
    const sharers = await Sharers.create(device, parameters, inRanks(2, 1), { uses: 1, atOnce: 4 });
    const [first] = sharers.all;
    expect(first.allReduce.isWhole).toBe(false);
    await sharers.write(first, 0);
    expect(first.allReduce.isWhole).toBe(false);
    await sharers.write(sharers.all[1], 0);
    await sharers.deliver(0, Infinity);
    expect(first.allReduce.isWhole).toBe(true);
    await sharers.sums();
    // In the next step, too, the sums of the last one do not count.
    expect(first.allReduce.isWhole).toBe(false);
    sharers.release();
  });
});

describe('a bucket larger than a part', () => {
  const large = new CpuDevice({ bytes: 2 ** 28 });
  afterAll(() => large.close());

  it.each([1, 4])('is summed part by part, %i of them under way, and all fit the rooms', async (atOnce) => {
    const wide = [matrix('wide', 1025, 2049)];
    const sharers = await Sharers.create(large, wide, inRanks(2, 1), { uses: 1, atOnce });
    await sharers.step(0, 1);
    for (const [sum] of await sharers.sums()) {
      const [expected] = sharers.expected(0);
      expect(Buffer.compare(Buffer.from(sum.buffer), Buffer.from(expected.buffer))).toBe(0);
    }
    // Three parts of two pieces each.
    expect(sharers.sent).toEqual({ blocks: 6, sums: 6, mostUnderWay: Math.min(atOnce, 3) });
    sharers.release();
  });
});

it('pieces of a bucket go out while the leaves of earlier ones are still to come', async () => {
  const near = new CpuDevice({ bytes: 2 ** 22 });
  // `b` has a bucket of its own, and comes first in the model.
  const sharers = await Sharers.create(near, [scale('b', 256), matrix('a', 16, 16)], inRanks(2, 1), {
    uses: 1,
    atOnce: 4,
  });
  for (const each of sharers.all) await sharers.write(each, 0, ['a']);
  expect(sharers.sent.blocks).toBe(2);
  await sharers.deliver(0, Infinity);
  expect(sharers.sent.sums).toBe(2);
  for (const each of sharers.all) await sharers.write(each, 0, ['b']);
  await sharers.deliver(0, Infinity);
  for (const sum of await sharers.sums()) expect(sum).toEqual(sharers.expected(0));
  sharers.release();
  await near.close();
});
