/** Parameters travel a few at a time, so that neither a message nor the memory behind it grows with the role. */
import { elements } from '../../kernels/shape.ts';
import type { Parameter } from '../../models/parameter.ts';

/** Most elements whose values and moments travel in one message, but that a single larger parameter goes alone. */
const batchElements = 2 ** 20;

/** Names of parameters in batches that a message can carry, in order. */
export function batchesOf(parameters: readonly Parameter[]): string[][] {
  const batches: string[][] = [];
  let room = 0;
  for (const { name, shape } of parameters) {
    const size = elements(shape);
    if (size > room || batches.length === 0) {
      batches.push([]);
      room = batchElements;
    }
    batches[batches.length - 1].push(name);
    room -= size;
  }
  return batches;
}
