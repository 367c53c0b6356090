/**
 * A group of the WebGPU device: an op of all owners is one dispatch, over the rows that each has, where what owners have for
 * themselves can be bound at once. A GPU looks at the live rows of an owner itself, so that nothing is bound anew in a step.
 */
import type { GroupBindings, GroupExecutable, GroupSize } from '../device.ts';
import { checkSlab, firstRows } from '../group_program.ts';
import type { Program } from '../program.ts';
import { uniformOf } from './binder.ts';
import { dispatch, REMEMBERED, type Ground } from './executable.ts';
import { GroupBinder, type BoundUnit, type PreparedGroup, type Unit } from './group_binder.ts';
import { rowBytes, type GroupPlan } from './group_plan.ts';
import { gpuTensor, type GpuTensor } from './tensor.ts';

/** Numbers of an owner in the uniform of live rows: rows, first row, and what makes it a vector. */
const OWNER_WORDS = 4;
export const OWNER_BYTES = 4 * OWNER_WORDS;

/** An owner's share of the slab. */
interface Rows {
  readonly rows: GroupBindings['rows'];
  readonly first: readonly number[];
}

export class GpuGroup implements GroupExecutable {
  readonly program: Program;
  readonly size: GroupSize;
  readonly scratchBytes: number;
  private readonly plan: GroupPlan;
  private readonly prepared: PreparedGroup;
  private readonly ground: Ground;
  private readonly binder: GroupBinder;
  private readonly lives: GPUBuffer;
  private readonly liveWords: Uint32Array<ArrayBuffer>;
  private readonly known = new Map<string, BoundUnit>();

  constructor(plan: GroupPlan, prepared: PreparedGroup, ground: Ground) {
    const { program, size } = plan.group;
    this.program = program;
    this.size = size;
    this.plan = plan;
    this.prepared = prepared;
    this.ground = ground;
    this.scratchBytes = prepared.planned.slotBytes.reduce((sum, bytes) => sum + bytes, 0);
    this.liveWords = new Uint32Array(size.count * OWNER_WORDS);
    this.lives = uniformOf(ground.device, `live rows of ${program.name}`, this.liveWords);
    this.binder = new GroupBinder(plan, prepared, this.lives, ground);
  }

  batches(): readonly (readonly number[])[] {
    return [Array.from({ length: this.size.count }, (_, owner) => owner)];
  }

  /** Resolves at once: the queue sees to the order. What is wrong with the operands rejects. */
  run(given: GroupBindings): Promise<void> {
    return new Promise((resolve) => {
      this.runNow(given);
      resolve();
    });
  }

  /** The device's own queue is not seen from here, so that it gives way to nobody. */
  runLater(given: GroupBindings): Promise<void> {
    return this.run(given);
  }

  /** Forgets what was bound: a buffer is gone, or another. */
  forget(): void {
    for (const { uniforms } of this.known.values()) uniforms.forEach((buffer) => buffer.destroy());
    this.known.clear();
  }

  release(): void {
    this.forget();
    this.lives.destroy();
  }

  /** What of Dawn's is alive. */
  counts(): { readonly buffers: number; readonly bindGroups: number } {
    const bound = [...this.known.values()];
    return {
      buffers: 1 + bound.reduce((sum, { uniforms }) => sum + uniforms.length, 0),
      bindGroups: bound.reduce((sum, { groups }) => sum + groups.length, 0),
    };
  }

  private runNow({ slab, own, rows }: GroupBindings): void {
    const { device } = this.ground;
    this.ground.check();
    const first = firstRows(this.plan.group, rows);
    const tensors = this.slabOf(slab, first[rows.length]);
    const ids = [...tensors.values()].map(({ id }) => id).join();
    const bound = this.binder
      .units(own, 0, this.size.count)
      .map((unit) => ({ unit, bound: this.boundOf(ids, tensors, unit) }));
    this.writeLives({ rows, first });
    const encoder = device.createCommandEncoder();
    for (const each of bound) this.record(encoder, each, { rows, first });
    device.queue.submit([encoder.finish()]);
    if (this.prepared.planned.passes.some(({ canRefuse }) => canRefuse)) this.ground.ran(this.program.name);
  }

  private boundOf(slabIds: string, slab: ReadonlyMap<string, GpuTensor>, unit: Unit): BoundUnit {
    const tensors = [...unit.tensors.values()].map(({ id }) => id).join();
    const key = `${slabIds}/${unit.first}+${unit.count}/${tensors}/${[...unit.steps.values()].join()}`;
    const known = this.known.get(key);
    if (known === undefined && this.known.size >= Math.max(REMEMBERED, 4 * this.size.count)) this.forget();
    const bound = known ?? this.binder.bind(slab, unit);
    this.known.set(key, bound);
    return bound;
  }

  private record(
    encoder: GPUCommandEncoder,
    { unit, bound }: { readonly unit: Unit; readonly bound: BoundUnit },
    { rows, first }: Rows,
  ): void {
    const { planned, pipelines } = this.prepared;
    let most = 0;
    for (let i = 0; i < unit.count; i++) most = Math.max(most, rows[unit.first + i]);
    if (planned.passes.length > 0) {
      const recording = encoder.beginComputePass();
      planned.passes.forEach((pass, i) => {
        // Workgroups beyond an owner's own rows return at once.
        const count = pass.workgroups((dim) => (typeof dim === 'number' ? dim : most));
        if (count > 0) dispatch(recording, pipelines[i].pipeline, bound.groups[i], count, unit.count);
      });
      recording.end();
    }
    for (const { value, from, fromStep, to, toStep, isByRows } of bound.copied) {
      if (this.plan.isByRows(value)) {
        const width = rowBytes(value);
        const [start, end] = [first[unit.first] * width, first[unit.first + unit.count] * width];
        const begin = from.offset + (isByRows ? start : 0);
        if (end > start) encoder.copyBufferToBuffer(from.buffer, begin, to.buffer, to.offset + start, end - start);
        continue;
      }
      const bytes = Math.ceil(to.bytes / 4) * 4;
      for (let i = 0; i < unit.count; i++) {
        encoder.copyBufferToBuffer(from.buffer, from.offset + i * fromStep, to.buffer, to.offset + i * toStep, bytes);
      }
    }
  }

  private writeLives({ rows, first }: Rows): void {
    const words = this.liveWords;
    let isNew = false;
    for (let owner = 0; owner < rows.length; owner++) {
      const at = owner * OWNER_WORDS;
      isNew ||= words[at] !== rows[owner] || words[at + 1] !== first[owner];
      words[at] = rows[owner];
      words[at + 1] = first[owner];
    }
    if (isNew) this.ground.device.queue.writeBuffer(this.lives, 0, words);
  }

  /** By name. Throws `ProgramError` for a tensor of another type or too small. */
  private slabOf(slab: GroupBindings['slab'], rows: number): ReadonlyMap<string, GpuTensor> {
    const { name: program } = this.program;
    return new Map(
      this.plan.group.slab.map((binding) => {
        const { name } = binding;
        const tensor = gpuTensor(program, name, slab[name]);
        checkSlab(this.plan.group, binding, tensor, rows);
        return [name, tensor] as const;
      }),
    );
  }
}
