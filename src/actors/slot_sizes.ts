/** Slots of shared memory between the threads of a node, with room for the largest message of a run. */
import { elements } from '../kernels/shape.ts';
import type { Model, ModelShape } from '../models/model.ts';
import type { Parameter } from '../models/parameter.ts';
import { SLOTS, type SlotClass } from '../runtime/index.ts';
import type { Member } from './cast.ts';

/** The usual slots, and a class above them where a message needs one; what is never touched takes no memory. */
export function slotsFor(model: Model, shape: ModelShape, cast: readonly Member[]): readonly SlotClass[] {
  const rowBytes = 4 * model.batch * model.sequence * shape.hidden * (shape.mixture?.topK ?? 1);
  const largestBytes = Math.max(rowBytes, ...cast.map(({ parameters }) => stateBytes(parameters)));
  // Room for the header, and for the space between tensors.
  const bytes = 2 ** Math.ceil(Math.log2(largestBytes * 1.01 + 2 ** 16));
  const usual = SLOTS[SLOTS.length - 1].bytes;
  return bytes > usual ? [...SLOTS, { bytes, count: 4 }] : SLOTS;
}

/** Largest message about a role's parameters: one gradient of all of them, or the largest with its two moments. */
function stateBytes(parameters: readonly Parameter[]): number {
  const sizes = parameters.map(({ shape }) => 4 * elements(shape));
  const total = sizes.reduce((sum, bytes) => sum + bytes, 0);
  return Math.max(total, 3 * Math.max(0, ...sizes));
}
