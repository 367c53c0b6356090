/** Parameters travel a few at a time, so that neither a message nor the memory behind it grows with the role. */
import { elements } from '../../kernels/shape.ts';
import type { Holding } from './holding.ts';

/** Most elements whose values and moments travel in one message, but that a single larger parameter goes alone. */
const batchElements = 2 ** 20;

/** What an actor holds in batches that a message can carry, in order. */
export function batchesOf(holdings: readonly Holding[]): Holding[][] {
  const batches: Holding[][] = [];
  let room = 0;
  for (const holding of holdings) {
    const size = elements(holding.parameter.shape);
    if (size > room || batches.length === 0) {
      batches.push([]);
      room = batchElements;
    }
    batches[batches.length - 1].push(holding);
    room -= size;
  }
  return batches;
}
