/**
 * From a group's tensors to what is bound. The slab is bound as it is; what owners have for themselves is bound at once where
 * their tensors are equally far apart in one buffer, as those of a bank are, and else owner by owner.
 */
import type { Bindings } from '../device.ts';
import { ProgramError } from '../errors.ts';
import type { Typed } from '../type.ts';
import {
  boundTensor,
  groupOf,
  madeOf,
  placed,
  uniformOf,
  type Copied,
  type Place,
  type Prepared,
  type Rooms,
} from './binder.ts';
import type { GroupPlan } from './group_plan.ts';
import { elementBytes, type Pass } from './pass.ts';
import { placed as placedMembers, type GroupShader } from './shader.ts';
import { gpuTensor, type GpuTensor } from './tensor.ts';

export interface PreparedGroup extends Omit<Prepared, 'program' | 'sizes'> {
  /** Of each pass. */
  readonly shaders: readonly GroupShader[];
}

/** Owners that are bound at once: `count` from `first` on. */
export interface Unit {
  readonly first: number;
  readonly count: number;
  /** The tensors of the first, and bytes from each to that of the next owner. */
  readonly tensors: ReadonlyMap<string, GpuTensor>;
  readonly steps: ReadonlyMap<string, number>;
}

interface CopiedOfOwners extends Copied {
  readonly from: Place;
  /** Bytes from an owner's to the next one's. */
  readonly fromStep: number;
  readonly toStep: number;
  /** Whether `from` lies as the slab does. */
  readonly isByRows: boolean;
}

export interface BoundUnit {
  readonly groups: readonly GPUBindGroup[];
  readonly copied: readonly CopiedOfOwners[];
  /** The uniforms that say where owners are. */
  readonly uniforms: readonly GPUBuffer[];
}

export class GroupBinder {
  private readonly plan: GroupPlan;
  private readonly prepared: PreparedGroup;
  private readonly rooms: Rooms;
  /** Of how many rows each owner has. */
  private readonly lives: GPUBuffer;
  /** Of bindings that were looked at. */
  private readonly tensors = new WeakMap<Bindings, ReadonlyMap<string, GpuTensor>>();

  constructor(plan: GroupPlan, prepared: PreparedGroup, lives: GPUBuffer, rooms: Rooms) {
    this.plan = plan;
    this.prepared = prepared;
    this.lives = lives;
    this.rooms = rooms;
  }

  /** How owners `first` to `first + count` go: all at once, or one by one. Throws `ProgramError` for a tensor of another type. */
  units(own: (owner: number) => Bindings, first: number, count: number): Unit[] {
    const owners = Array.from({ length: count }, (_, i) => this.tensorsOf(own(first + i)));
    const steps = this.plan.isAtOnce ? this.stepsOf(owners) : null;
    if (steps !== null) return [{ first, count, tensors: owners[0], steps }];
    return owners.map((tensors, i) => ({ first: first + i, count: 1, tensors, steps: new Map() }));
  }

  /** Throws `ProgramError` for an output in the tensor of an input. */
  bind(slab: ReadonlyMap<string, GpuTensor>, unit: Unit): BoundUnit {
    const { planned, pipelines } = this.prepared;
    const { program } = this.plan.group;
    const { places, copied } = placed(program, planned, (name) => slab.get(name) ?? unit.tensors.get(name)!);
    const steps = new Map([...unit.tensors].map(([name, tensor]) => [tensor, unit.steps.get(name) ?? 0]));
    const uniforms: GPUBuffer[] = [];
    const groups = planned.passes.map((pass, i) => {
      const { buffers, numbers } = this.resources(pass, i, { places, steps, unit });
      const words = new Uint32Array(Math.ceil((1 + numbers.length) / 4) * 4);
      words.set([unit.first, ...numbers]);
      const uniform = uniformOf(this.rooms.device, `owners of ${program.name}`, words);
      uniforms.push(uniform);
      const resources = [...buffers, { buffer: this.lives }, { buffer: uniform }];
      return groupOf(this.rooms, pass, pipelines[i].layout, resources);
    });
    const copies = copied.map((each) => {
      const tensor = places.get(each.root);
      const made = { program, planned };
      const from = tensor ?? { buffer: madeOf(made, this.rooms, each.root), offset: 0 };
      const fromStep = tensor === undefined ? this.plan.scratchStep(each.root) : (steps.get(tensor) ?? 0);
      const toStep = steps.get(each.to) ?? 0;
      return { ...each, from, fromStep, toStep, isByRows: this.plan.isByRows(each.root) };
    });
    return { groups, copied: copies, uniforms };
  }

  /** Bytes between two owners' tensors of each name; null where they differ, or where a pass would bind a buffer twice. */
  private stepsOf(owners: readonly ReadonlyMap<string, GpuTensor>[]): ReadonlyMap<string, number> | null {
    const steps = new Map<string, number>();
    for (const [name, { buffer, offset }] of owners[0]) {
      const step = owners.length === 1 ? 0 : owners[1].get(name)!.offset - offset;
      const isEven = owners.every((tensors, i) => {
        const other = tensors.get(name)!;
        return other.buffer === buffer && other.offset === offset + i * step;
      });
      if (step < 0 || !isEven) return null;
      steps.set(name, step);
    }
    return this.prepared.planned.passes.every((pass) => this.bindsOnce(pass, owners[0])) ? steps : null;
  }

  /** What is written must not be bound a second time, be it elsewhere in the same buffer. */
  private bindsOnce({ bindings }: Pass, tensors: ReadonlyMap<string, GpuTensor>): boolean {
    const { own } = this.plan.group;
    const { rootOf } = this.prepared.planned;
    const bufferOf = (root: Typed): GPUBuffer | undefined => {
      const binding = own.find(({ value }) => value === root);
      return binding === undefined ? undefined : tensors.get(binding.name)?.buffer;
    };
    const bound = bindings.map(({ value, isWritten }) => ({ buffer: bufferOf(rootOf(value)), isWritten }));
    return bound.every(
      ({ buffer, isWritten }, i) =>
        buffer === undefined ||
        bound.every((other, j) => i === j || other.buffer !== buffer || !(isWritten || other.isWritten)),
    );
  }

  private resources(
    pass: Pass,
    at: number,
    {
      places,
      steps,
      unit,
    }: {
      readonly places: ReadonlyMap<Typed, GpuTensor>;
      readonly steps: ReadonlyMap<GpuTensor, number>;
      readonly unit: Unit;
    },
  ): { buffers: GPUBufferBinding[]; numbers: number[] } {
    const shader = this.prepared.shaders[at];
    const numbers = new Array<number>(placedMembers(pass, shader).length).fill(0);
    let next = 0;
    const buffers = pass.bindings.map(({ value, element }, i): GPUBufferBinding => {
      const root = this.prepared.planned.rootOf(value);
      const tensor = places.get(root);
      if (tensor === undefined) {
        return {
          buffer: madeOf({ program: this.plan.group.program, planned: this.prepared.planned }, this.rooms, root),
        };
      }
      if (shader.origins[i].kind !== 'tensor') return boundTensor(tensor);
      const place = next;
      next += 2;
      // Alone it is bound where it begins.
      if (unit.count === 1) return boundTensor(tensor);
      const bytes = elementBytes[element];
      numbers[place] = tensor.offset / bytes;
      numbers[place + 1] = steps.get(tensor)! / bytes;
      return { buffer: tensor.buffer };
    });
    return { buffers, numbers };
  }

  private tensorsOf(own: Bindings): ReadonlyMap<string, GpuTensor> {
    const known = this.tensors.get(own) ?? this.checked(own);
    this.tensors.set(own, known);
    return known;
  }

  private checked(own: Bindings): ReadonlyMap<string, GpuTensor> {
    const { program, own: bindings } = this.plan.group;
    return new Map(
      bindings.map(({ name, value: { type } }) => {
        const tensor = gpuTensor(program.name, name, own[name]);
        if (tensor.dtype !== type.dtype)
          throw new ProgramError(program.name, `${name} is ${tensor.dtype}, needs ${type.dtype}`);
        return [name, tensor] as const;
      }),
    );
  }
}
