/**
 * A sharing: the buckets that one actor sums with the same others, and the memory for what these send. All of it is taken before
 * the first step, so that a plan counts it and no sum can fail for lack of it.
 */
import type { Device, Executable, Slice, Tensor } from '../../kernels/device.ts';
import { blocksOf, blocksOfUses, piecesOf, PIECES_UNDER_WAY, type LeafRange, type Uses } from '../../topology/index.ts';
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

/** How much room the blocks that others send to one sharer of some buckets need. */
export interface SharingRoom {
  readonly count: number;
  /** Elements. */
  readonly length: number;
}

/**
 * Of every other sharer's blocks of a piece as many are there at once as pieces may be under way from it, or as there are own
 * ones. Counted as if no block had met its sibling: who is slow decides when they do.
 */
export function roomOf(
  buckets: readonly { readonly length: number; readonly uses: Uses }[],
  ranks: number,
  rank: number,
  range: LeafRange,
): SharingRoom {
  const pieces = buckets.flatMap(({ length }) => piecesOf(length, ranks));
  const own = pieces.filter(({ owner }) => owner === rank).length;
  const others = buckets.map(({ uses }) => blocksOfAll(uses.of, range) - blocksOfUses(uses, range));
  return {
    count: Math.min(PIECES_UNDER_WAY, own) * Math.max(0, ...others),
    length: Math.max(0, ...pieces.map(({ start, end }) => end - start)),
  };
}

/** Blocks of a parameter that all who hold it send, those of ranks whose ranges of microbatches are equally long. */
function blocksOfAll(uses: number, { count, of }: LeafRange): number {
  let blocks = 0;
  for (let first = 0; first < of; first += count) blocks += blocksOf(first, count);
  return uses * blocks;
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
    const buckets = group.map(({ plan: of }) => ({ length: bucketLength(of), uses: of.uses }));
    return roomOf(buckets, plan.sharers.length, plan.sharers.indexOf(address), range);
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
    const lengths = group.map(({ length, plan: { uses } }) => ({ length, uses }));
    const { count, length } = roomOf(lengths, plan.sharers.length, rank, range);
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
