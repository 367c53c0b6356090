/** From a program's tensors to what is bound: a group for each pass, and the copies that are due at the end. */
import { ProgramError } from '../errors.ts';
import type { Program } from '../program.ts';
import type { Table } from '../table.ts';
import type { Typed } from '../type.ts';
import type { Pass } from './pass.ts';
import type { Pipeline } from './pipelines.ts';
import type { PlannedPasses } from './plan.ts';
import type { GpuTensor } from './tensor.ts';

/** Where a running program's own memory is. */
export interface Rooms {
  readonly device: GPUDevice;
  /** Scratch buffer `slot`; it may be another one after a program was compiled. */
  scratch(slot: number): GPUBuffer;
  /** Where a table lies. */
  table(table: Table): GPUBuffer;
  readonly refusal: GPUBuffer;
}

export interface Place {
  readonly buffer: GPUBuffer;
  /** In bytes. */
  readonly offset: number;
}

export interface Copy {
  readonly from: Place;
  readonly to: GpuTensor;
  readonly value: Typed;
}

export interface Bound {
  readonly groups: readonly GPUBindGroup[];
  readonly copies: readonly Copy[];
}

export interface Prepared {
  readonly program: Program;
  readonly planned: PlannedPasses;
  readonly pipelines: readonly Pipeline[];
  /** The uniform of live sizes. */
  readonly sizes: GPUBuffer | null;
}

export class Binder {
  private readonly prepared: Prepared;
  private readonly rooms: Rooms;

  constructor(prepared: Prepared, rooms: Rooms) {
    this.prepared = prepared;
    this.rooms = rooms;
  }

  /** `tensors` by name. Throws `ProgramError` for an output in the tensor of an input. */
  bind(tensors: ReadonlyMap<string, GpuTensor>): Bound {
    const { program, planned, pipelines } = this.prepared;
    const { places, copied } = placed(program, planned, (name) => tensors.get(name)!);
    return {
      groups: planned.passes.map((pass, i) =>
        groupOf(this.rooms, pass, pipelines[i].layout, this.resources(pass, places)),
      ),
      copies: copied.map(({ root, to, value }) => ({ from: this.placeOf(root, places), to, value })),
    };
  }

  private resources({ bindings }: Pass, places: ReadonlyMap<Typed, GpuTensor>): GPUBufferBinding[] {
    const { planned, sizes } = this.prepared;
    const buffers = bindings.map(({ value }): GPUBufferBinding => {
      const tensor = places.get(planned.rootOf(value));
      return tensor === undefined ? { buffer: this.placeOf(value, places).buffer } : boundTensor(tensor);
    });
    return sizes === null ? buffers : [...buffers, { buffer: sizes }];
  }

  private placeOf(value: Typed, places: ReadonlyMap<Typed, GpuTensor>): Place {
    const root = this.prepared.planned.rootOf(value);
    return places.get(root) ?? { buffer: madeOf(this.prepared, this.rooms, root), offset: 0 };
  }
}

export const boundTensor = ({ buffer, offset, boundBytes }: GpuTensor): GPUBufferBinding => ({
  buffer,
  offset,
  size: boundBytes,
});

/** What is bound to no tensor: the buffer of a table, or of scratch. */
export function madeOf(
  { program, planned }: Pick<Prepared, 'program' | 'planned'>,
  rooms: Rooms,
  root: Typed,
): GPUBuffer {
  const table = planned.tables.get(root);
  if (table !== undefined) return rooms.table(table);
  const slot = planned.slots.get(root);
  if (slot === undefined) throw new ProgramError(program.name, `nothing makes value ${root.id}`);
  return rooms.scratch(slot);
}

/** An output whose value is in another tensor, or in scratch under another shape. */
export interface Copied {
  readonly root: Typed;
  readonly to: GpuTensor;
  readonly value: Typed;
}

/** The tensors of values that are in one, and what is to be copied. Throws `ProgramError`. */
export function placed(
  { name: program, inputs, outputs }: Pick<Program, 'name' | 'inputs' | 'outputs'>,
  { rootOf }: PlannedPasses,
  tensorOf: (name: string) => GpuTensor,
): { readonly places: ReadonlyMap<Typed, GpuTensor>; readonly copied: readonly Copied[] } {
  const places = new Map<Typed, GpuTensor>();
  for (const { name, value } of inputs) places.set(value, tensorOf(name));
  const read = new Set(places.values());
  const copied: Copied[] = [];
  for (const { name, value } of outputs) {
    const tensor = tensorOf(name);
    const root = rootOf(value);
    const other = places.get(root);
    if (other === tensor) continue;
    if (read.has(tensor)) throw new ProgramError(program, `output ${name} is bound to the tensor of an input`);
    if (other === undefined && root === value) places.set(value, tensor);
    else copied.push({ root, to: tensor, value });
  }
  return { places, copied };
}

export function groupOf(
  { device, refusal }: Rooms,
  { canRefuse, label }: Pass,
  layout: GPUBindGroupLayout,
  resources: readonly GPUBufferBinding[],
): GPUBindGroup {
  const all = canRefuse ? [...resources, { buffer: refusal }] : resources;
  return device.createBindGroup({
    label,
    layout,
    entries: all.map((resource, binding) => ({ binding, resource })),
  });
}

/** A uniform buffer that holds `words`. */
export function uniformOf(device: GPUDevice, label: string, words: Uint32Array<ArrayBuffer>): GPUBuffer {
  const buffer = device.createBuffer({
    label,
    size: words.byteLength,
    usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
  });
  device.queue.writeBuffer(buffer, 0, words);
  return buffer;
}
