/**
 * A group context is the memory of one microbatch with the experts of a group: tensors of a slab, in which the rows of all
 * experts lie one behind another. So it takes as many rows as the group may get, however they are shared out.
 */
import type { Bindings, Device, Slice, Tensor } from '../../kernels/device.ts';
import { groupProgram } from '../../kernels/group_program.ts';
import { alike } from '../placement/alike.ts';
import { tensorFor } from '../stage/bindings.ts';
import type { ExpertPrograms } from './expert_programs.ts';

export interface GroupContext {
  /** Tensors [S, …] by the names of the experts' programs. */
  readonly slab: Bindings;
  /** By expert: its weights, and what passes from program to program without rows. */
  readonly own: readonly Bindings[];
}

export interface GroupContextOptions {
  readonly programs: ExpertPrograms;
  /** Of each expert, by the names that the programs have for them. */
  readonly weights: readonly Bindings[];
  /** Microbatches that may be with the group at once. */
  readonly count: number;
}

/**
 * Takes the contexts from the group's slice. A context has for itself what passes from forward to backward, and on to the
 * gradients of weights, which come later; all else is of use within one message only, and is one tensor for all contexts.
 * Throws `OutOfSliceMemory`.
 */
export function createGroupContexts(
  device: Device,
  slice: Slice,
  { programs, weights, count }: GroupContextOptions,
): GroupContext[] {
  const { derivative, forward, backwardInput, backwardWeight } = programs;
  const later = derivative.backwardWeight.inputs.flatMap(({ name, role }) => (role === 'weight' ? [] : [name]));
  const passing = new Set([...derivative.kept, ...derivative.residuals.map(({ name }) => name), ...later]);
  const groups = [forward, backwardInput, backwardWeight].map(({ program, size }) => groupProgram(program, size));
  const withRows = groups.flatMap(({ slab }) => slab);
  const without = groups.flatMap(({ own }) => own.filter(({ name }) => passing.has(name)));
  const slabTensors = (isOwn: boolean): Record<string, Tensor> => {
    const tensors: Record<string, Tensor> = {};
    for (const { name, value } of withRows) {
      const { dtype, shape } = value.type;
      const size = [forward.size.rows, ...shape.slice(1)];
      if (passing.has(name) === isOwn) tensors[name] ??= tensorFor(slice, name, { dtype, shape: size });
    }
    return tensors;
  };
  const common = slabTensors(false);
  return alike(device, count, () => ({
    slab: { ...common, ...slabTensors(true) },
    own: without.length === 0 ? weights : weights.map((own) => ({ ...own, ...tensorsFor(slice, without) })),
  }));
}

function tensorsFor(slice: Slice, bindings: ReturnType<typeof groupProgram>['own']): Record<string, Tensor> {
  const tensors: Record<string, Tensor> = {};
  for (const { name, value } of bindings) tensors[name] ??= tensorFor(slice, name, value.type);
  return tensors;
}
