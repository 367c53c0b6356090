/** How named f32 tensors lie in one flat range: one after the other, each 64-byte aligned. In elements. */
import { bytesPerElement } from './dtype.ts';
import { alignmentBytes } from './ranges.ts';
import { elements } from './shape.ts';

export interface FlatLayout {
  readonly length: number;
  readonly places: readonly { readonly name: string; readonly shape: readonly number[]; readonly at: number }[];
}

/** Lays the shapes out in the order given. */
export function flatLayout(shapes: Readonly<Record<string, readonly number[]>>): FlatLayout {
  const alignment = alignmentBytes / bytesPerElement.f32;
  let length = 0;
  const places = Object.entries(shapes).map(([name, shape]) => {
    const at = length;
    length += Math.ceil(elements(shape) / alignment) * alignment;
    return { name, shape, at };
  });
  return { length, places };
}
