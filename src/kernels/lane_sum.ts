/**
 * The order in which sums over a row are made, by definition: sixteen partial sums, element i going to number i mod 16,
 * folded by halves. Four registers of four lanes do it so without waiting for one another, and the error grows with a
 * sixteenth of the length. Each addition rounds to fp32.
 */
export const SUM_LANES = 16;

const partial = new Float32Array(SUM_LANES);

/** Σ term(i) for i below `count`; terms must be exact in fp32. */
export function laneSum(count: number, term: (i: number) => number): number {
  partial.fill(0);
  for (let i = 0; i < count; i++) partial[i % SUM_LANES] += term(i);
  for (let half = SUM_LANES / 2; half >= 1; half /= 2) {
    for (let j = 0; j < half; j++) partial[j] += partial[j + half];
  }
  return partial[0];
}
