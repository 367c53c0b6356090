/**
 * Random numbers for tests, as a pure function of a seed and of what is asked: the same whatever else was drawn. The
 * mixer multiplies and shifts u32s; its constants are those of "lowbias32" (C. Wellons, Hash Prospector, 2018).
 */

/** Mixes the words into one u32. */
export function mix(...words: readonly number[]): number {
  let hash = 0x9e37_79b9;
  for (const word of words) {
    hash = (hash ^ word) >>> 0;
    hash = Math.imul(hash ^ (hash >>> 16), 0x7feb_352d);
    hash = Math.imul(hash ^ (hash >>> 15), 0x846c_a68b);
    hash = (hash ^ (hash >>> 16)) >>> 0;
  }
  return hash;
}

/** A number in [0, 1) for the words. */
export const unit = (...words: readonly number[]): number => mix(...words) / 2 ** 32;
