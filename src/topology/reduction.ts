/**
 * A reduction divides a gradient for its sum over all that hold the same parameters: into leaves with a place in the tree,
 * blocks of them that an actor sends, and pieces, of which each has a sharer that sums it. Who sums and who plans both read it.
 */

/** The microbatches of a step that an actor makes leaves of: `count` from global index `first` on, of `of` in all. */
export interface LeafRange {
  readonly first: number;
  readonly count: number;
  readonly of: number;
}

/** The places where the model uses a parameter: which of them an actor runs, by number in step order, and how many there are. */
export interface Uses {
  readonly own: readonly number[];
  readonly of: number;
}

/** Used in one place, by whoever holds it. */
export const usedOnce: Uses = { own: [0], of: 1 };

/**
 * Index of a leaf in the tree. Each use has a subtree of its own, as wide as the least power of two that holds a step's
 * microbatches, so that the leaves of one actor are neighbours and fold early, and a sum is the same wherever the uses live.
 */
export const leafIndex = (use: number, microbatch: number, microbatches: number): number =>
  use * strideOf(microbatches) + microbatch;

const strideOf = (microbatches: number): number => 2 ** Math.ceil(Math.log2(microbatches));

/** Leaves in the block of 2^level places that begins at index · 2^level; those that no microbatch has are none. */
export function leavesOf(level: number, index: number, uses: number, microbatches: number): number {
  const stride = strideOf(microbatches);
  const [start, end] = [index * 2 ** level, (index + 1) * 2 ** level];
  let leaves = 0;
  for (let use = Math.floor(start / stride); use < uses && use * stride < end; use++) {
    leaves += Math.max(0, Math.min(end, use * stride + microbatches) - Math.max(start, use * stride));
  }
  return leaves;
}

/** Maximal aligned power-of-two blocks of the leaves [first, first + count). */
export function blocksOf(first: number, count: number): number {
  let blocks = 0;
  for (let at = first, left = count; left > 0; blocks++) {
    let size = 1;
    while (at % (2 * size) === 0 && 2 * size <= left) size *= 2;
    at += size;
    left -= size;
  }
  return blocks;
}

/** Blocks that one actor sends of a parameter: those of each of its uses, but that whole subtrees fold with each other. */
export function blocksOfUses({ own }: Uses, { first, count, of }: LeafRange): number {
  if (count < strideOf(of)) return own.length * blocksOf(first, count);
  let blocks = 0;
  let from = 0;
  for (const [i, use] of own.entries()) {
    if (own[i + 1] === use + 1) continue;
    blocks += blocksOf(own[from], i + 1 - from);
    from = i + 1;
  }
  return blocks;
}

/** Elements that are divided among the sharers at a time: 4 MiB. */
export const SUM_PART_ELEMENTS = 2 ** 20;

/** Pieces begin at multiples of so many elements: 256 bytes, where a range of an arena may begin on every device. */
const PIECE_UNIT = 64;

/** Elements [start, end) of an arena, which the sharer of rank `owner` sums; `part` counts through the arena. */
export interface Piece {
  readonly part: number;
  readonly owner: number;
  readonly start: number;
  readonly end: number;
}

/**
 * The pieces of a flat arena, in order: every part of it has one for each of `ranks` sharers, as even as can be. They begin at
 * multiples of 64 elements; empty ones are left out.
 */
export function piecesOf(length: number, ranks: number): Piece[] {
  const pieces: Piece[] = [];
  for (let from = 0, part = 0; from < length; from += SUM_PART_ELEMENTS, part++) {
    const to = Math.min(from + SUM_PART_ELEMENTS, length);
    const units = Math.ceil((to - from) / PIECE_UNIT);
    for (let owner = 0; owner < ranks; owner++) {
      const start = from + Math.floor((units * owner) / ranks) * PIECE_UNIT;
      const end = Math.min(to, from + Math.floor((units * (owner + 1)) / ranks) * PIECE_UNIT);
      if (start < end) pieces.push({ part, owner, start, end });
    }
  }
  return pieces;
}

/** What one sharer owns of an arena. */
export interface Owned {
  readonly pieces: number;
  readonly elements: number;
  /** Elements of the largest piece. */
  readonly largest: number;
}

/** What `piecesOf` gives each rank, in their order, without a list of a billion elements' pieces: whole parts are all divided alike. */
export function ownedOf(length: number, ranks: number): Owned[] {
  const wholes = Math.floor(length / SUM_PART_ELEMENTS);
  const owned = Array.from({ length: ranks }, () => ({ pieces: 0, elements: 0, largest: 0 }));
  for (const [parts, each] of [
    [wholes, SUM_PART_ELEMENTS],
    [1, length - wholes * SUM_PART_ELEMENTS],
  ]) {
    if (parts === 0) continue;
    for (const { owner, start, end } of piecesOf(each, ranks)) {
      const sums = owned[owner];
      sums.pieces += parts;
      sums.elements += parts * (end - start);
      sums.largest = Math.max(sums.largest, end - start);
    }
  }
  return owned;
}

/** Pieces that are under way to one sharer at most; its sum of one makes room for the next. */
export const PIECES_UNDER_WAY = 4;
