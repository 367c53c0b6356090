/** Making the tensors that programs are bound to. */
import type { Bindings, Slice, Tensor } from '../../kernels/device.ts';
import type { Type } from '../../kernels/type.ts';
import type { Weights } from '../../models/model.ts';

/** A tensor for a value at the maximum of its dynamic dimensions. */
export function tensorFor(slice: Slice, what: string, { dtype, shape }: Type): Tensor {
  return slice.tensor(
    what,
    dtype,
    shape.map((dim) => (typeof dim === 'number' ? dim : dim.max)),
  );
}

/** A program's weight inputs, from tensors by parameter name. With a prefix: the outputs for their gradients. */
export function weightBindings(weights: Weights, tensors: Bindings, prefix = ''): Bindings {
  return Object.fromEntries(Object.entries(weights).map(([input, { name }]) => [`${prefix}${input}`, tensors[name]]));
}
