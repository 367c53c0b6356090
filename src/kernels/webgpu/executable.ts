/**
 * A compiled program of the WebGPU device: pipelines over buffers. What is bound is looked up by the tensors' identities, so
 * that a steady step makes nothing and only records dispatches. The queue keeps the order of runs, writes and reads.
 */
import type { Bindings, Executable, RunTimes } from '../device.ts';
import { bytesPerElement } from '../dtype.ts';
import { ProgramError } from '../errors.ts';
import type { Program } from '../program.ts';
import { elements, resolve, type Dim, type LiveSizes } from '../shape.ts';
import type { Table } from '../table.ts';
import type { Typed } from '../type.ts';
import type { Pass } from './pass.ts';
import type { Pipeline } from './pipelines.ts';
import type { PlannedPasses } from './plan.ts';
import { GRID_WIDTH } from './shader.ts';
import { gpuTensor, type GpuTensor } from './tensor.ts';

/** Sets of tensors that are remembered: more than the microbatches and layers that share a program. */
const REMEMBERED = 1024;

/** What a running program needs of its device. */
export interface Ground {
  readonly device: GPUDevice;
  /** Scratch buffer `slot`; it may be another one after a program was compiled. */
  scratch(slot: number): GPUBuffer;
  /** Where a table lies. */
  table(table: Table): GPUBuffer;
  readonly refusal: GPUBuffer;
  /** Says that `program` may have refused operands since the last read. */
  ran(program: string): void;
  /** Throws `DeviceLost`, or what went wrong since. */
  check(): void;
}

interface Copy {
  readonly from: GpuTensor | Typed;
  readonly to: GpuTensor;
  readonly value: Typed;
}

interface Bound {
  readonly groups: readonly GPUBindGroup[];
  readonly copies: readonly Copy[];
}

export class GpuExecutable implements Executable {
  readonly program: Program;
  readonly scratchBytes: number;
  readonly times: RunTimes = { runs: 0, nativeMs: 0, wasmMs: 0, hostMs: 0 };
  private readonly planned: PlannedPasses;
  private readonly pipelines: readonly Pipeline[];
  private readonly dims: readonly string[];
  private readonly ground: Ground;
  private readonly sizes: GPUBuffer | null;
  private readonly known = new Map<string, Bound>();
  private written = '';

  /** `dims`: names of the dynamic dimensions, in the order of the uniform. */
  constructor(
    program: Program,
    planned: PlannedPasses,
    pipelines: readonly Pipeline[],
    dims: readonly string[],
    ground: Ground,
  ) {
    this.program = program;
    this.planned = planned;
    this.pipelines = pipelines;
    this.dims = dims;
    this.ground = ground;
    this.scratchBytes = planned.slotBytes.reduce((sum, bytes) => sum + bytes, 0);
    this.sizes = liveSizesBuffer(ground.device, program.name, new Array<number>(dims.length).fill(0));
  }

  /** Resolves at once: the queue sees to the order. What is wrong with the operands rejects. */
  run(bindings: Bindings, live: LiveSizes = {}): Promise<void> {
    return new Promise((resolve) => {
      this.runNow(bindings, live);
      resolve();
    });
  }

  private runNow(bindings: Bindings, live: LiveSizes): void {
    const startMs = performance.now();
    this.ground.check();
    const tensors = this.tensorsOf(bindings, live);
    const key = [...tensors.values()].map(({ id }) => id).join();
    const bound = this.known.get(key) ?? this.bind(tensors);
    if (this.known.size >= REMEMBERED) this.known.clear();
    this.known.set(key, bound);
    this.record(bound, live);
    this.times.runs++;
    this.times.hostMs += performance.now() - startMs;
  }

  /** Forgets what was bound: a buffer is gone, or another. */
  forget(): void {
    this.known.clear();
  }

  release(): void {
    this.forget();
    this.sizes?.destroy();
  }

  /** What of Dawn's is alive. */
  counts(): { readonly buffers: number; readonly bindGroups: number } {
    const bindGroups = [...this.known.values()].reduce((sum, { groups }) => sum + groups.length, 0);
    return { buffers: this.sizes === null ? 0 : 1, bindGroups };
  }

  private record({ groups, copies }: Bound, live: LiveSizes): void {
    const { device } = this.ground;
    this.writeSizes(live);
    const sizeOf = (dim: Dim): number => (typeof dim === 'number' ? dim : live[dim.name]);
    const encoder = device.createCommandEncoder();
    const { passes } = this.planned;
    if (passes.length > 0) {
      const recording = encoder.beginComputePass();
      passes.forEach((pass, i) => {
        const count = pass.workgroups(sizeOf);
        if (count === 0) return;
        dispatch(recording, this.pipelines[i].pipeline, groups[i], count);
      });
      recording.end();
    }
    for (const { from, to, value } of copies) {
      const bytes = elements(resolve(value.type.shape, live)) * bytesPerElement[value.type.dtype];
      const [buffer, offset] = 'buffer' in from ? [from.buffer, from.offset] : [this.scratchOf(from), 0];
      const whole = Math.ceil(bytes / 4) * 4;
      if (whole > 0) encoder.copyBufferToBuffer(buffer, offset, to.buffer, to.offset, whole);
    }
    device.queue.submit([encoder.finish()]);
    if (passes.some(({ canRefuse }) => canRefuse)) this.ground.ran(this.program.name);
  }

  private writeSizes(live: LiveSizes): void {
    if (this.sizes === null) return;
    const sizes = this.dims.map((name) => live[name]);
    const text = sizes.join();
    if (text === this.written) return;
    this.ground.device.queue.writeBuffer(this.sizes, 0, Uint32Array.from(sizes));
    this.written = text;
  }

  /** By name. Throws `ProgramError` for a tensor of another type or too small, `ShapeError` for a live size that is none. */
  private tensorsOf(bindings: Bindings, live: LiveSizes): ReadonlyMap<string, GpuTensor> {
    const { name: program, inputs, outputs } = this.program;
    return new Map(
      [...inputs, ...outputs].map(({ name, value: { type } }) => {
        const tensor = gpuTensor(program, name, bindings[name]);
        if (tensor.dtype !== type.dtype)
          throw new ProgramError(program, `${name} is ${tensor.dtype}, needs ${type.dtype}`);
        const needed = elements(resolve(type.shape, live));
        const has = elements(tensor.shape);
        if (needed > has) throw new ProgramError(program, `${name} has ${has} elements, needs ${needed}`);
        return [name, tensor] as const;
      }),
    );
  }

  private bind(tensors: ReadonlyMap<string, GpuTensor>): Bound {
    const { name: program, inputs, outputs } = this.program;
    const { rootOf, passes } = this.planned;
    const places = new Map<Typed, GpuTensor>();
    for (const { name, value } of inputs) places.set(value, tensors.get(name)!);
    const read = new Set(places.values());
    const copies: Copy[] = [];
    for (const { name, value } of outputs) {
      const tensor = tensors.get(name)!;
      const root = rootOf(value);
      const other = places.get(root);
      if (other === tensor) continue;
      if (read.has(tensor)) throw new ProgramError(program, `output ${name} is bound to the tensor of an input`);
      if (other !== undefined) copies.push({ from: other, to: tensor, value });
      else if (root === value) places.set(value, tensor);
      else copies.push({ from: outputs.some((b) => b.value === root) ? places.get(root)! : root, to: tensor, value });
    }
    return { groups: passes.map((pass, i) => this.groupOf(pass, this.pipelines[i].layout, places)), copies };
  }

  private groupOf(
    { bindings, canRefuse, label }: Pass,
    layout: GPUBindGroupLayout,
    places: ReadonlyMap<Typed, GpuTensor>,
  ): GPUBindGroup {
    const { device, refusal } = this.ground;
    const { rootOf } = this.planned;
    const resources: GPUBufferBinding[] = bindings.map(({ value }) => {
      const root = rootOf(value);
      const tensor = places.get(root);
      if (tensor === undefined) return { buffer: this.scratchOf(root) };
      return { buffer: tensor.buffer, offset: tensor.offset, size: tensor.boundBytes };
    });
    if (this.sizes !== null) resources.push({ buffer: this.sizes });
    if (canRefuse) resources.push({ buffer: refusal });
    return device.createBindGroup({
      label,
      layout,
      entries: resources.map((resource, binding) => ({ binding, resource })),
    });
  }

  private scratchOf(root: Typed): GPUBuffer {
    const table = this.planned.tables.get(root);
    if (table !== undefined) return this.ground.table(table);
    const slot = this.planned.slots.get(root);
    if (slot === undefined) throw new ProgramError(this.program.name, `nothing makes value ${root.id}`);
    return this.ground.scratch(slot);
  }
}

/** Records `count` workgroups. */
export function dispatch(
  encoder: GPUComputePassEncoder,
  pipeline: GPUComputePipeline,
  group: GPUBindGroup,
  count: number,
): void {
  encoder.setPipeline(pipeline);
  encoder.setBindGroup(0, group);
  encoder.dispatchWorkgroups(Math.min(count, GRID_WIDTH), Math.ceil(count / GRID_WIDTH));
}

/** The uniform of live sizes; null where there are none. */
export function liveSizesBuffer(device: GPUDevice, program: string, sizes: readonly number[]): GPUBuffer | null {
  if (sizes.length === 0) return null;
  const buffer = device.createBuffer({
    label: `live sizes of ${program}`,
    size: Math.ceil(sizes.length / 4) * 16,
    usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
  });
  device.queue.writeBuffer(buffer, 0, Uint32Array.from(sizes));
  return buffer;
}
