/** The room that sums over sharers need, by hand counts, and what an actor's mailbox has to hold of them. */
import { describe, expect, it } from 'vitest';
import { bucketsOf } from '../../../src/actors/parameters/bucket_plan.ts';
import { holdingsByAddress, holdingsOf } from '../../../src/actors/parameters/holding.ts';
import { createShare, dataCapacityOf } from '../../../src/actors/parameters/share_parts.ts';
import { roomsOf } from '../../../src/actors/parameters/sharing.ts';
import { DryDevice } from '../../../src/kernels/cpu/dry_device.ts';
import { matrix } from '../../../src/models/parameter.ts';
import { DATA_CAPACITY } from '../../../src/runtime/index.ts';
import { smallTopology } from '../kit.ts';

const { optimizer } = smallTopology();
const addresses = (ranks: number): string[] => Array.from({ length: ranks }, (_, rank) => `rank ${rank}`);
const weights = (rows: number, cols: number, count = 1) =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`w${i}`, matrix(`w${i}`, rows, cols)]));

function roomFor(ranks: number, microbatches: number, held: ReturnType<typeof weights>) {
  const plans = bucketsOf(holdingsOf(held, addresses(ranks)), optimizer);
  return addresses(ranks).map((address, rank) => {
    const range = { first: rank * microbatches, count: microbatches, of: ranks * microbatches };
    return roomsOf(plans, address, range);
  });
}

describe('the room for what others send', () => {
  it('is none for an actor that shares nothing', () => {
    expect(roomFor(1, 4, weights(16, 16))).toEqual([[]]);
  });

  it('is a piece of every block of the others, for as many pieces as are under way', () => {
    // Leaves 0-2, 3-5 and 6-8 are blocks of 2+1, 1+2 and 2+1; one bucket has one piece each.
    expect(roomFor(3, 3, weights(3, 64))).toEqual([0, 1, 2].map(() => [{ count: 4, length: 64 }]));
    // Twelve buckets of 4 MiB have a piece each for both ranks, of which four are under way.
    expect(roomFor(2, 2, weights(1024, 1024, 12))).toEqual([0, 1].map(() => [{ count: 4, length: 2 ** 19 }]));
  });

  it('grows with a bucket of 4 MiB and not with the gradient or the number of sharers', () => {
    for (const ranks of [2, 4, 16, 64]) {
      for (const [{ count, length }] of roomFor(ranks, 1, weights(1024, 16 * 1024)))
        expect(count * length).toBeLessThan(4 * 2 ** 20);
    }
  });

  it('has the blocks of all uses', () => {
    const table = matrix('table', 4, 64);
    const holders = ['a', 'b'].map((stage) => [`${stage}0`, `${stage}1`]);
    const holdings = holdingsByAddress(holders.map((each) => ({ weights: { table }, holders: each })));
    const range = { first: 0, count: 2, of: 4 };
    expect(roomsOf(bucketsOf(holdings.get('b0')!, optimizer), 'b0', range)).toEqual([{ count: 3, length: 64 }]);
  });

  it('has most blocks of each other sharer, which may be at buckets of their own', () => {
    // Of three microbatches a use has two blocks. First and second send two of one table and four of the other, and not alike.
    const tables = ['t', 's'].map((name) => matrix(name, 1024, 3 * 1024));
    const holdings = holdingsByAddress(
      ['a', 'a', 'a', 'b', 'b', 'b', 'c', 'c'].map((stage, i) => ({ weights: { w: tables[i % 2] }, holders: [stage] })),
    );
    const range = { first: 0, count: 3, of: 3 };
    expect(roomsOf(bucketsOf(holdings.get('c')!, optimizer), 'c', range)).toMatchObject([{ count: 4 * (4 + 4) }]);
    expect(roomsOf(bucketsOf(holdings.get('a')!, optimizer), 'a', range)).toMatchObject([{ count: 4 * (4 + 2) }]);
  });
});

it('a mailbox has room for all messages of its sums, however many sharers there are', async () => {
  const sharers = addresses(512);
  const device = new DryDevice();
  const holdings = holdingsOf(weights(1024, 1024, 8), sharers);
  const range = { first: 0, count: 3, of: 3 * 512 };
  const share = { address: 'rank 0', holdings, range, alive: 3, optimizer, seed: 1 };
  const parts = await createShare(device, device.slice('rank 0', 2 ** 32), share);
  // Of 511 others: two blocks of each of four pieces, and the sums of four of theirs.
  expect(dataCapacityOf(parts) - DATA_CAPACITY).toBe(511 * 4 * 2 + 511 * 4);
});
