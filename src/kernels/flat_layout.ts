/** How named f32 tensors lie in one flat range: one after the other, each aligned to 64 bytes or more. In elements. */
import { bytesPerElement } from './dtype.ts';
import { alignmentBytes } from './ranges.ts';
import { elements } from './shape.ts';

export interface FlatLayout {
  readonly length: number;
  readonly places: readonly { readonly name: string; readonly shape: readonly number[]; readonly at: number }[];
}

/** Lays the shapes out in the order given; `aligned` bytes, where a device needs more than 64. */
export function flatLayout(shapes: Readonly<Record<string, readonly number[]>>, aligned = alignmentBytes): FlatLayout {
  const alignment = Math.max(alignmentBytes, aligned) / bytesPerElement.f32;
  let length = 0;
  const places = Object.entries(shapes).map(([name, shape]) => {
    const at = length;
    length += Math.ceil(elements(shape) / alignment) * alignment;
    return { name, shape, at };
  });
  return { length, places };
}
