/**
 * A compiled program of the WebGPU device: pipelines over buffers. What is bound is looked up by the tensors' identities, so
 * that a steady step makes nothing and only records dispatches. The queue keeps the order of runs, writes and reads.
 */
import type { Bindings, RunTimes } from '../device.ts';
import { bytesPerElement } from '../dtype.ts';
import { ProgramError } from '../errors.ts';
import type { Program } from '../program.ts';
import { elements, resolve, type Dim, type LiveSizes } from '../shape.ts';
import { nameBeside } from '../side_by_side.ts';
import { Binder, uniformOf, type Bound, type Prepared, type Rooms } from './binder.ts';
import type { Runnable } from './one_by_one.ts';
import { GRID_WIDTH } from './shader.ts';
import { gpuTensor, type GpuTensor } from './tensor.ts';

/** Sets of tensors that are remembered: more than the microbatches and layers that share a program. */
const REMEMBERED = 1024;

/** What a running program needs of its device. */
export interface Ground extends Rooms {
  /** Says that `program` may have refused operands since the last read. */
  ran(program: string): void;
  /** Throws `DeviceLost`, or what went wrong since. */
  check(): void;
}

export interface GpuExecutableOptions extends Omit<Prepared, 'program' | 'sizes'> {
  /** Names of the dynamic dimensions of one copy, in the order of the uniform. */
  readonly dims: readonly string[];
  /** What runs copies whose tensors cannot be bound at once; null where there is one copy. */
  readonly apart: Runnable | null;
}

export class GpuExecutable implements Runnable {
  readonly program: Program;
  readonly scratchBytes: number;
  readonly times: RunTimes = { runs: 0, nativeMs: 0, wasmMs: 0, hostMs: 0 };
  private readonly options: GpuExecutableOptions;
  private readonly ground: Ground;
  private readonly binder: Binder;
  private readonly sizes: GPUBuffer | null;
  /** Null: not to be bound at once. */
  private readonly known = new Map<string, Bound | null>();
  private written = '';

  constructor(program: Program, options: GpuExecutableOptions, ground: Ground) {
    const { planned, copies, dims } = options;
    this.program = program;
    this.options = options;
    this.ground = ground;
    this.scratchBytes = copies * planned.slotBytes.reduce((sum, bytes) => sum + bytes, 0);
    const none = dims.map(() => 0);
    this.sizes = liveSizesBuffer(ground.device, program.name, new Array<number[]>(copies).fill(none));
    this.binder = new Binder({ ...options, program: program.copies?.of ?? program, sizes: this.sizes }, ground);
  }

  /** Resolves at once: the queue sees to the order. What is wrong with the operands rejects. */
  /** The device's own queue is not seen from here, so that it gives way to nobody. */
  runLater(bindings: Bindings, live: LiveSizes = {}): Promise<void> {
    return this.run(bindings, live);
  }

  run(bindings: Bindings, live: LiveSizes = {}): Promise<void> {
    return new Promise((resolve) => {
      this.runNow(bindings, live);
      resolve();
    });
  }

  /** Forgets what was bound: a buffer is gone, or another. */
  forget(): void {
    for (const bound of this.known.values()) bound?.origins.forEach((buffer) => buffer.destroy());
    this.known.clear();
  }

  release(): void {
    this.forget();
    this.sizes?.destroy();
  }

  /** What of Dawn's is alive. */
  counts(): { readonly buffers: number; readonly bindGroups: number } {
    const bound = [...this.known.values()].filter((each) => each !== null);
    const total = (of: (bound: Bound) => number): number => bound.reduce((sum, each) => sum + of(each), 0);
    return {
      buffers: (this.sizes === null ? 0 : 1) + total(({ origins }) => origins.length),
      bindGroups: total(({ groups }) => groups.length),
    };
  }

  runNow(bindings: Bindings, live: LiveSizes): void {
    const startMs = performance.now();
    this.ground.check();
    const tensors = this.tensorsOf(bindings, live);
    const key = [...tensors.values()].map(({ id }) => id).join();
    const known = this.known.get(key);
    const bound = known === undefined ? this.binder.bind(tensors) : known;
    if (known === undefined && this.known.size >= REMEMBERED) this.forget();
    this.known.set(key, bound);
    if (bound === null) {
      this.options.apart!.runNow(bindings, live);
      return;
    }
    this.record(bound, live);
    this.times.runs++;
    this.times.hostMs += performance.now() - startMs;
  }

  private record({ groups, copies }: Bound, live: LiveSizes): void {
    const { device } = this.ground;
    const { planned, pipelines } = this.options;
    const sizes = this.sizesOf(live);
    this.writeSizes(sizes);
    const sizesOf = sizes.map((own) => this.sizeOf(own));
    const encoder = device.createCommandEncoder();
    if (planned.passes.length > 0) {
      const recording = encoder.beginComputePass();
      planned.passes.forEach((pass, i) => {
        const count = Math.max(...sizesOf.map((sizeOf) => pass.workgroups(sizeOf)));
        if (count > 0) dispatch(recording, pipelines[i].pipeline, groups[i], count, sizes.length);
      });
      recording.end();
    }
    for (const { from, to, value, of } of copies) {
      const count = value.type.shape.reduce<number>((n, dim) => n * sizesOf[of](dim), 1);
      const whole = Math.ceil((count * bytesPerElement[value.type.dtype]) / 4) * 4;
      if (whole > 0) encoder.copyBufferToBuffer(from.buffer, from.offset, to.buffer, to.offset, whole);
    }
    device.queue.submit([encoder.finish()]);
    if (planned.passes.some(({ canRefuse }) => canRefuse)) this.ground.ran(this.program.name);
  }

  /** Of each copy, in the order of its dimensions. */
  private sizesOf(live: LiveSizes): readonly (readonly number[])[] {
    const { copies, dims } = this.options;
    if (copies === 1) return [dims.map((name) => live[name])];
    return Array.from({ length: copies }, (_, i) => dims.map((name) => live[nameBeside(name, i)]));
  }

  private sizeOf(sizes: readonly number[]): (dim: Dim) => number {
    const { dims } = this.options;
    return (dim) => (typeof dim === 'number' ? dim : sizes[dims.indexOf(dim.name)]);
  }

  private writeSizes(sizes: readonly (readonly number[])[]): void {
    if (this.sizes === null) return;
    const text = sizes.join();
    if (text === this.written) return;
    this.ground.device.queue.writeBuffer(this.sizes, 0, sizeWords(sizes));
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
}

/** Records `count` workgroups, for each of `copies`. */
export function dispatch(
  encoder: GPUComputePassEncoder,
  pipeline: GPUComputePipeline,
  group: GPUBindGroup,
  count: number,
  copies = 1,
): void {
  encoder.setPipeline(pipeline);
  encoder.setBindGroup(0, group);
  encoder.dispatchWorkgroups(Math.min(count, GRID_WIDTH), Math.ceil(count / GRID_WIDTH), copies);
}

/** The uniform of live sizes, those of each copy; null where there are none. */
export function liveSizesBuffer(
  device: GPUDevice,
  program: string,
  sizes: readonly (readonly number[])[],
): GPUBuffer | null {
  return sizes[0].length === 0 ? null : uniformOf(device, `live sizes of ${program}`, sizeWords(sizes));
}

/** Those of each copy begin a vector. */
function sizeWords(sizes: readonly (readonly number[])[]): Uint32Array<ArrayBuffer> {
  const perCopy = Math.ceil(sizes[0].length / 4) * 4;
  const words = new Uint32Array(sizes.length * perCopy);
  sizes.forEach((own, i) => words.set(own, i * perCopy));
  return words;
}
