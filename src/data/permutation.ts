/**
 * A pseudo-random order of 0..size-1 that is never written down: a Feistel network permutes the smallest square of a
 * power of two that holds `size`, and an index that lands outside is sent round again (cycle walking) until it is inside.
 * So the k-th element of an epoch costs a few hashes, whatever the size and whatever was asked before.
 */
import { hashU32 } from './hash.ts';

const ROUNDS = 6;

/**
 * Returns where `index` goes in the permutation of `0..size-1` named by `key`.
 *
 * `size` up to 2^52; `key` is a u32. The domain is less than four times `size`, hence fewer than four walks on average.
 */
export function permuted(index: number, size: number, key: number): number {
  if (!(index >= 0 && index < size)) throw new RangeError(`permutation index ${index} is not below its size ${size}`);
  let halfBits = 1;
  while (4 ** halfBits < size) halfBits++;
  const half = 2 ** halfBits;
  let at = index;
  do {
    let left = Math.floor(at / half);
    let right = at % half;
    for (let round = 0; round < ROUNDS; round++) {
      const mixed = (left ^ (hashU32(key, round, right) >>> (32 - halfBits))) >>> 0;
      left = right;
      right = mixed;
    }
    at = left * half + right;
  } while (at >= size);
  return at;
}
