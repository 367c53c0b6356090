/**
 * Which part of a corpus is kept for evaluation. The token stream is cut into blocks, a hash of (corpus name, block)
 * says which blocks are held out, and both kinds join into runs. A window lies wholly inside one run, so no token is
 * ever both trained on and evaluated. The rule depends on nothing but name, length and fraction.
 */
import { hashText, hashU32 } from './hash.ts';

/** Tokens of a block, for windows that fit into it. */
export const BLOCK_TOKENS = 4 * 1024;

/** Tokens of a block for sequences of a length: a longer window is a block by itself, so that every block has room for it. */
export const blockTokensFor = (sequenceLength: number): number => Math.max(BLOCK_TOKENS, sequenceLength + 1);

/** Part of the corpus digest: change it with the rule. */
export const HELD_OUT_RULE = 'held-out/2';

/** Tokens `[begin, end)` of a stream. */
export interface TokenRange {
  readonly begin: number;
  readonly end: number;
}

export interface HeldOutSplit {
  readonly train: readonly TokenRange[];
  readonly heldOut: readonly TokenRange[];
}

/**
 * Splits a stream of `tokenCount` tokens, cut into blocks of `blockTokens`; `fraction` in [0, 1) is the share to hold out.
 *
 * With two blocks or more and a fraction above 0, at least one block is held out and at least one is trained on: if the
 * hash chose none or all, the block with the lowest or the highest hash is moved. With three or more, a short last
 * block is not the one to be moved.
 */
export function splitHeldOut(
  name: string,
  tokenCount: number,
  fraction: number,
  blockTokens: number = BLOCK_TOKENS,
): HeldOutSplit {
  const blocks = Math.ceil(tokenCount / blockTokens);
  const key = hashText(name);
  const hashes = Array.from({ length: blocks }, (_, block) => hashU32(key, block));
  const held = hashes.map((hash) => hash < fraction * 2 ** 32);
  if (blocks >= 2 && fraction > 0) {
    const isShort = tokenCount % blockTokens !== 0;
    const movable = hashes.slice(0, blocks >= 3 && isShort ? -1 : undefined);
    if (!held.includes(true)) held[movable.indexOf(movable.reduce((a, b) => Math.min(a, b)))] = true;
    if (!held.includes(false)) held[movable.indexOf(movable.reduce((a, b) => Math.max(a, b)))] = false;
  } else held.fill(false);
  const size = { tokenCount, blockTokens };
  return { train: runs(held, false, size), heldOut: runs(held, true, size) };
}

function runs(
  held: readonly boolean[],
  wanted: boolean,
  { tokenCount, blockTokens }: { readonly tokenCount: number; readonly blockTokens: number },
): TokenRange[] {
  const found: TokenRange[] = [];
  for (let block = 0; block < held.length; block++) {
    if (held[block] !== wanted) continue;
    const first = block;
    while (block + 1 < held.length && held[block + 1] === wanted) block++;
    found.push({ begin: first * blockTokens, end: Math.min((block + 1) * blockTokens, tokenCount) });
  }
  return found;
}
