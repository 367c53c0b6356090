/** Capacity bounds what a router may send an expert of one microbatch, and so what memory the expert takes. */

/** Slots of one expert for a microbatch: `ceil(factor * tokens * topK / experts)`, at least `minCapacity`, at most all. */
export function expertCapacity(
  tokens: number,
  topK: number,
  experts: number,
  capacityFactor: number,
  minCapacity: number,
): number {
  // Rounded to 1e-9 first: a float's last bit must not add a slot.
  const share = Math.round(((capacityFactor * tokens * topK) / experts) * 1e9) / 1e9;
  return Math.min(tokens, Math.max(Math.ceil(share), minCapacity));
}
