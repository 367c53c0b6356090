/** State parts as a holder is restored by, of tensors as it saved them: each as one part. */
import type { StatePart } from '../../src/actors/protocol/parameters.ts';
import { dataOf, payload } from '../../src/actors/protocol/pass.ts';
import type { TensorPayload } from '../../src/runtime/index.ts';

export const partsOf = (tensors: Readonly<Record<string, TensorPayload>>): StatePart[] =>
  Object.entries(tensors).map(([name, tensor]) => partOf(name, tensor));

/** A part of a tensor, from element `at` on; default: all of it. */
export function partOf(name: string, tensor: TensorPayload, at = 0, length?: number): StatePart {
  const data = dataOf(tensor);
  const values = data.slice(at, length === undefined ? data.length : at + length);
  return { name, shape: [...tensor.shape], at, values: payload(values, [values.length]) };
}
