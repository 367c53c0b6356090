/**
 * What fp32 makes of a number of the topology file. Settings of the optimizer and of losses are computed with in fp32; one
 * that is rounded away there would train something else than was written, so it is refused with what would become of it.
 */

/** How a number is used: as it is, as a decay beside 1 minus it, or as a spread around 1. */
export type Fp32Use = 'number' | 'decay' | 'spread';

/** Least number that every device keeps: smaller ones may be taken for 0. */
const leastNormal = 2 ** -126;

/** Most that 1 minus a decay may be off, of itself. */
const tolerance = 0.1;

/** What fp32 makes of `value`, in words, where that is something else; null where it is near enough. */
export function lostInFp32(use: Fp32Use, value: number): string | null {
  const single = Math.fround(value);
  if (!Number.isFinite(single)) return 'fp32 makes infinity of it';
  if (use === 'spread') return value > 0 && Math.fround(1 + single) === 1 ? 'fp32 makes 1 of 1 plus it' : null;
  if (value !== 0 && single === 0) return 'fp32 makes 0 of it';
  if (Math.abs(single) < leastNormal && value !== 0) return `fp32 makes ${single} of it, which a GPU takes for 0`;
  if (use === 'number') return null;
  if (single === 1) return 'fp32 makes 1 of it';
  const [rest, exact] = [1 - single, 1 - value];
  return Math.abs(rest - exact) <= tolerance * exact
    ? null
    : `fp32 makes ${rest.toPrecision(3)} of 1 minus it, which is ${exact.toPrecision(3)}`;
}
