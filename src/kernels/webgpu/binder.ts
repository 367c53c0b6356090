/**
 * From a program's tensors to what is bound: a group for each pass, and the copies that are due at the end. Copies of a
 * program side by side are bound at once where each of their buffers is one bank.
 */
import { ProgramError } from '../errors.ts';
import type { Program } from '../program.ts';
import { nameBeside } from '../side_by_side.ts';
import type { Table } from '../table.ts';
import type { Typed } from '../type.ts';
import type { Element, Pass } from './pass.ts';
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

interface Place {
  readonly buffer: GPUBuffer;
  /** In bytes. */
  readonly offset: number;
}

export interface Copy {
  readonly from: Place;
  readonly to: GpuTensor;
  readonly value: Typed;
  /** Of which copy of the program. */
  readonly of: number;
}

export interface Bound {
  readonly groups: readonly GPUBindGroup[];
  readonly copies: readonly Copy[];
  /** Where the copies' parts of the buffers begin. */
  readonly origins: readonly GPUBuffer[];
}

export interface Prepared {
  /** One of the copies, where there are several. */
  readonly program: Program;
  readonly planned: PlannedPasses;
  readonly pipelines: readonly Pipeline[];
  readonly copies: number;
  /** The uniform of live sizes. */
  readonly sizes: GPUBuffer | null;
}

const elementBytes = {
  f32: 4,
  'vec4<f32>': 16,
  u32: 4,
  'vec2<u32>': 8,
  i32: 4,
  'atomic<u32>': 4,
} as const satisfies Record<Element, number>;

export class Binder {
  private readonly prepared: Prepared;
  private readonly rooms: Rooms;

  constructor(prepared: Prepared, rooms: Rooms) {
    this.prepared = prepared;
    this.rooms = rooms;
  }

  /**
   * `tensors` by the names of the whole program. Null where copies cannot be bound at once. Throws `ProgramError` for an
   * output in the tensor of an input.
   */
  bind(tensors: ReadonlyMap<string, GpuTensor>): Bound | null {
    const { program, planned, copies: count } = this.prepared;
    const places: ReadonlyMap<Typed, GpuTensor>[] = [];
    const copies: Copy[] = [];
    for (let of = 0; of < count; of++) {
      const tensorOf = (name: string): GpuTensor => tensors.get(count === 1 ? name : nameBeside(name, of))!;
      const placed = this.placed(program, tensorOf, of);
      places.push(placed.places);
      copies.push(...placed.copies);
    }
    const origins: GPUBuffer[] = [];
    const groups: GPUBindGroup[] = [];
    for (const [i, pass] of planned.passes.entries()) {
      const resources = count === 1 ? this.resources(pass, places[0]) : this.inBanks(pass, places, origins);
      if (resources === null) {
        origins.forEach((buffer) => buffer.destroy());
        return null;
      }
      groups.push(this.groupOf(pass, this.prepared.pipelines[i].layout, resources));
    }
    return { groups, copies, origins };
  }

  /** The tensors of values that are in one, and what is copied since its value is in another. */
  private placed(
    { name: program, inputs, outputs }: Program,
    tensorOf: (name: string) => GpuTensor,
    of: number,
  ): { readonly places: ReadonlyMap<Typed, GpuTensor>; readonly copies: readonly Copy[] } {
    const { rootOf } = this.prepared.planned;
    const places = new Map<Typed, GpuTensor>();
    for (const { name, value } of inputs) places.set(value, tensorOf(name));
    const read = new Set(places.values());
    const copied: { readonly root: Typed; readonly to: GpuTensor; readonly value: Typed }[] = [];
    for (const { name, value } of outputs) {
      const tensor = tensorOf(name);
      const root = rootOf(value);
      const other = places.get(root);
      if (other === tensor) continue;
      if (read.has(tensor)) throw new ProgramError(program, `output ${name} is bound to the tensor of an input`);
      if (other === undefined && root === value) places.set(value, tensor);
      else copied.push({ root, to: tensor, value });
    }
    const copies = copied.map(({ root, to, value }) => ({ from: this.placeOf(root, places, of), to, value, of }));
    return { places, copies };
  }

  private resources({ bindings }: Pass, places: ReadonlyMap<Typed, GpuTensor>): GPUBufferBinding[] {
    const { planned, sizes } = this.prepared;
    const buffers = bindings.map(({ value }): GPUBufferBinding => {
      const tensor = places.get(planned.rootOf(value));
      if (tensor !== undefined) return { buffer: tensor.buffer, offset: tensor.offset, size: tensor.boundBytes };
      return { buffer: this.placeOf(value, places, 0).buffer };
    });
    return sizes === null ? buffers : [...buffers, { buffer: sizes }];
  }

  /** Whole buffers, each with the parts of all copies, and the table of where they begin; null where they are not in one. */
  private inBanks(
    { bindings }: Pass,
    places: readonly ReadonlyMap<Typed, GpuTensor>[],
    made: GPUBuffer[],
  ): GPUBufferBinding[] | null {
    const perCopy = Math.ceil(bindings.length / 4) * 4;
    const origins = new Uint32Array(places.length * perCopy);
    const buffers: GPUBuffer[] = [];
    for (const [b, { value, element, isWritten }] of bindings.entries()) {
      const parts = places.map((own, of) => this.placeOf(value, own, of));
      const [{ buffer }] = parts;
      if (parts.some((part) => part.buffer !== buffer)) return null;
      // What is written must not be bound a second time, be it elsewhere in the same buffer.
      if (buffers.some((other, o) => other === buffer && (isWritten || bindings[o].isWritten))) return null;
      buffers.push(buffer);
      parts.forEach(({ offset }, of) => (origins[of * perCopy + b] = offset / elementBytes[element]));
    }
    const table = uniformOf(this.rooms.device, `origins of ${this.prepared.program.name}`, origins);
    made.push(table);
    const { sizes } = this.prepared;
    return [...buffers, ...(sizes === null ? [] : [sizes]), table].map((buffer) => ({ buffer }));
  }

  private groupOf(
    { canRefuse, label }: Pass,
    layout: GPUBindGroupLayout,
    resources: readonly GPUBufferBinding[],
  ): GPUBindGroup {
    const { device, refusal } = this.rooms;
    const all = canRefuse ? [...resources, { buffer: refusal }] : resources;
    return device.createBindGroup({
      label,
      layout,
      entries: all.map((resource, binding) => ({ binding, resource })),
    });
  }

  /** Where copy `of` has a value. */
  private placeOf(value: Typed, places: ReadonlyMap<Typed, GpuTensor>, of: number): Place {
    const { rootOf, tables, slots, slotBytes } = this.prepared.planned;
    const root = rootOf(value);
    const tensor = places.get(root);
    if (tensor !== undefined) return tensor;
    const table = tables.get(root);
    if (table !== undefined) return { buffer: this.rooms.table(table), offset: 0 };
    const slot = slots.get(root);
    if (slot === undefined) throw new ProgramError(this.prepared.program.name, `nothing makes value ${root.id}`);
    return { buffer: this.rooms.scratch(slot), offset: of * slotBytes[slot] };
  }
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
