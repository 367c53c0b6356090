/**
 * A sharing: the buckets that one actor sums with the same others, and the memory for what these send. All of it is taken before
 * the first step, so that a plan counts it and no sum can fail for lack of it.
 */
import type { Device, Executable, Slice, Tensor } from '../../kernels/device.ts';
import { blocksOfUses, ownedOf, PIECES_UNDER_WAY, type LeafRange } from '../../topology/index.ts';
import { alike } from '../placement/alike.ts';
import type { Bucket } from './bucket.ts';
import { bucketLength, type BucketPlan } from './bucket_plan.ts';
import { accumulatePieceProgram } from './optimizer_programs.ts';

export interface Sharing {
  readonly sharers: readonly string[];
  readonly rank: number;
  /** In the order in which pieces of them are sent. */
  readonly buckets: readonly Bucket[];
  /** Rooms for blocks of own pieces that came from others, each for the largest piece. */
  readonly rooms: readonly Tensor[];
  readonly accumulate: Executable;
  /** Microbatches of a step, of all sharers. */
  readonly microbatches: number;
}

/** A bucket as far as room for it goes: elements of its arena, and by use who runs it. */
type Summed = Pick<BucketPlan, 'holders'> & { readonly length: number };

/** How much room the blocks that others send to one sharer of some buckets need. */
export interface SharingRoom {
  readonly count: number;
  /** Elements. */
  readonly length: number;
}

/**
 * Of every other sharer's blocks of a piece as many are there at once as pieces may be under way from it, or as there are own
 * ones. Each may be at a bucket of its own, so what counts of each is the bucket of which it sends most blocks. Counted as if no
 * block had met its sibling: who is slow decides when they do.
 */
function roomOf(buckets: readonly Summed[], sharers: readonly string[], rank: number, range: LeafRange): SharingRoom {
  const owned = buckets.map(({ length }) => ownedOf(length, sharers.length));
  const own = owned.reduce((sum, { [rank]: mine }) => sum + mine.pieces, 0);
  const most = new Map<string, number>();
  for (const { holders } of buckets) {
    for (const [sharer, blocks] of blocksBySharer(holders, range)) {
      most.set(sharer, Math.max(blocks, most.get(sharer) ?? 0));
    }
  }
  most.delete(sharers[rank]);
  return {
    count: Math.min(PIECES_UNDER_WAY, own) * [...most.values()].reduce((sum, blocks) => sum + blocks, 0),
    length: Math.max(0, ...owned.flat().map(({ largest }) => largest)),
  };
}

/** Blocks of a parameter that each who holds it sends, where the ranges of microbatches of all ranks are equally long. */
function blocksBySharer(holders: BucketPlan['holders'], { count, of }: LeafRange): Map<string, number> {
  const places = new Map<string, { readonly first: number; readonly own: number[] }>();
  for (const [use, addresses] of holders.entries()) {
    for (const [dataRank, address] of addresses.entries()) {
      const place = places.get(address) ?? { first: dataRank * count, own: [] };
      place.own.push(use);
      places.set(address, place);
    }
  }
  const blocks = new Map<string, number>();
  for (const [address, { first, own }] of places) {
    blocks.set(address, blocksOfUses({ own, of: holders.length }, { first, count, of }));
  }
  return blocks;
}

/** Messages that others have sent one sharer at most: blocks of its pieces, and sums of theirs. */
export const messagesUnderWay = ({ sharers, rooms }: Pick<Sharing, 'sharers' | 'rooms'>): number =>
  rooms.length + PIECES_UNDER_WAY * (sharers.length - 1);

/** The lists of sharers that an actor sums with, each with the buckets of `buckets` that it sums with them. */
export function bySharers<B extends { readonly plan: BucketPlan }>(buckets: readonly B[]): B[][] {
  const groups = new Map<string, B[]>();
  for (const bucket of buckets) {
    const { sharers, rule } = bucket.plan;
    if (rule === null || sharers.length < 2) continue;
    const key = sharers.join(' ');
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [bucket]);
    else group.push(bucket);
  }
  return [...groups.values()];
}

/** What the sharings of an actor with these plans need: equal where they take the same memory. */
export function roomsOf(plans: readonly BucketPlan[], address: string, range: LeafRange): SharingRoom[] {
  return bySharers(plans.map((plan) => ({ plan }))).map((group) => {
    const [{ plan }] = group;
    const buckets = group.map(({ plan: of }) => ({ length: bucketLength(of), holders: of.holders }));
    return roomOf(buckets, plan.sharers, plan.sharers.indexOf(address), range);
  });
}

/** Takes the memory of all sharings of the actor at `address` from its slice. Throws `OutOfSliceMemory`. */
export async function createSharings(
  device: Device,
  slice: Slice,
  buckets: readonly Bucket[],
  { address, range }: { readonly address: string; readonly range: LeafRange },
): Promise<Sharing[]> {
  const sharings: Sharing[] = [];
  for (const group of bySharers(buckets)) {
    const [{ plan }] = group;
    const rank = plan.sharers.indexOf(address);
    const summed = group.map(({ length, plan: { holders } }) => ({ length, holders }));
    const { count, length } = roomOf(summed, plan.sharers, rank, range);
    sharings.push({
      sharers: plan.sharers,
      rank,
      buckets: group,
      rooms: alike(device, count, () => slice.tensor('gradients', 'f32', [length])),
      accumulate: await device.compile(accumulatePieceProgram()),
      microbatches: range.of,
    });
  }
  return sharings;
}
