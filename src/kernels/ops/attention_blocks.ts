/**
 * How attention is cut into blocks: 128 queries each, over the keys that one of them may see by what holds of every sequence.
 * Causal attention reads half of the keys so, a window as many as it is wide, and some to spare.
 */
import { fixedInterval, type FixedMask } from './attention_mask.ts';

export interface AttentionBlock {
  /** Queries `first` to before `end`. */
  readonly first: number;
  readonly end: number;
  /** Keys `firstKey` to before `endKey`. */
  readonly firstKey: number;
  readonly endKey: number;
}

const blockRows = 128;

/**
 * onnxruntime adds up a long sum in stretches, of 128 to 1024 terms where the result is 128 to 16 wide. Keys that begin where a
 * stretch does leave the sum its bits, as if those before had been there with zeros.
 */
const stretchOf = (width: number): number => Math.min(1024, Math.max(128, 2 ** Math.ceil(Math.log2(16_384 / width))));

/** The last block also takes a single left-over query, since matmuls of one row have other bits. `width`: of a head. */
export function attentionBlocks(queries: number, keys: number, width: number, mask: FixedMask): AttentionBlock[] {
  const blocks: AttentionBlock[] = [];
  const stretch = stretchOf(width);
  for (let first = 0; first < queries;) {
    const end = queries - first <= blockRows + 1 ? queries : first + blockRows;
    // One key that the block before reads, too: sums over blocks go on from it.
    const seen = Math.max(0, Math.min(fixedInterval(mask, first, keys).begin, first - 1));
    const firstKey = seen - (seen % stretch);
    blocks.push({ first, end, firstKey, endKey: fixedInterval(mask, end - 1, keys).end });
    first = end;
  }
  return blocks;
}
