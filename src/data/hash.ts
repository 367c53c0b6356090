/**
 * The counter-based integer hash behind every choice that the data layer makes "at random". There is no generator and no
 * state: a choice is the hash of the words that name it (seed, corpus, epoch, index), so it can be made anywhere, in any
 * order, and again. Only u32 add, multiply, xor and shifts, so that every language gives the same bits.
 */

/** 2^32 / golden ratio: keeps zero words from being a fixed point of the mixing. */
const GOLDEN_U32 = 0x9e3779b9;

/** Mixes the bits of one u32: a bijection in which each input bit flips about half of the output bits. */
export function mixU32(word: number): number {
  let h = word >>> 0;
  h = Math.imul(h ^ (h >>> 16), 0x7feb352d);
  h = Math.imul(h ^ (h >>> 15), 0x846ca68b);
  return (h ^ (h >>> 16)) >>> 0;
}

/**
 * Hashes a list of u32 words to one u32.
 *
 * `h = 0`, then `h = mix((h ^ word) + golden)` for each word. For fixed leading words it is a bijection of the last one,
 * so a counter in last place never collides. Words are taken modulo 2^32.
 */
export function hashU32(...words: readonly number[]): number {
  let h = 0;
  for (const word of words) h = mixU32((h ^ word) + GOLDEN_U32);
  return h;
}

/** Hashes a text (a corpus name) to one u32: its length, then its UTF-16 code units. */
export function hashText(text: string): number {
  let h = hashU32(text.length);
  for (let i = 0; i < text.length; i++) h = mixU32((h ^ text.charCodeAt(i)) + GOLDEN_U32);
  return h;
}

/** Splits an integer below 2^53 (a seed, an epoch) into the two u32 words that name it in a hash: low, high. */
export function wordsOf(integer: number): [low: number, high: number] {
  return [integer >>> 0, Math.floor(integer / 2 ** 32) >>> 0];
}
