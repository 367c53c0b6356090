/**
 * How many gradients of one use of a parameter an actor has alive at once at most: blocks of leaves that wait for their siblings in
 * the tree of `gradient_tree.ts`, and the leaf that is being made. An actor with several uses has as many of each, since every use
 * has a subtree of its own. Each rank sends its leaves in order; nothing is known of the order between ranks.
 */
import { blocksOf } from '../../topology/index.ts';

/** Blocks in one part of the tree. */
interface Alive {
  /** Most of them while some leaf of it is missing. */
  readonly partly: number;
  /** Whether all of its leaves come, which makes them one block. */
  readonly isWhole: boolean;
}

const most = ({ partly, isWhole }: Alive): number => (isWhole ? Math.max(partly, 1) : partly);

/** Of an actor that makes the leaves of rank `firstRank` itself, or is sent those of `ranks` ranks, `microbatches` of each. */
export function gradientsAlive(microbatches: number, firstRank: number, ranks: number): number {
  if (ranks === 1) return blocksInOrder(firstRank * microbatches, microbatches - 1) + 1;
  const leaves = ranks * microbatches;
  const height = Math.ceil(Math.log2(leaves));
  return aliveBelow({ first: 0, size: 2 ** height }, microbatches, leaves).partly + 1;
}

/** Of the part of a tree over `leaves` leaves that has those from `first` on; both sides of it are filled independently. */
function aliveBelow({ first, size }: { first: number; size: number }, microbatches: number, leaves: number): Alive {
  const end = Math.min(first + size, leaves);
  if (end <= first) return { partly: 0, isWhole: false };
  const isWhole = end === first + size;
  if (Math.floor(first / microbatches) === Math.floor((end - 1) / microbatches)) {
    return { partly: blocksInOrder(first, end - first - (isWhole ? 1 : 0)), isWhole };
  }
  const half = size / 2;
  const left = aliveBelow({ first, size: half }, microbatches, leaves);
  const right = aliveBelow({ first: first + half, size: half }, microbatches, leaves);
  const partly = Math.max(
    left.partly + most(right),
    most(left) + right.partly,
    // Siblings that are both whole fold into one.
    left.isWhole && right.isWhole ? 0 : most(left) + most(right),
  );
  return { partly, isWhole };
}

/** Most blocks of leaves that come in order, from `first` on, when up to `count` of them are there. */
function blocksInOrder(first: number, count: number): number {
  let blocks = 0;
  for (let done = 0; done <= count; done++) blocks = Math.max(blocks, blocksOf(first, done));
  return blocks;
}
