/**
 * A compiled program of the WebGPU device: pipelines over buffers. What is bound is looked up by the tensors' identities, so
 * that a steady step makes nothing and only records dispatches. The queue keeps the order of runs, writes and reads.
 */
import type { Bindings, Executable, RunTimes } from '../device.ts';
import { bytesPerElement } from '../dtype.ts';
import { ProgramError } from '../errors.ts';
import type { Program } from '../program.ts';
import { elements, resolve, type Dim, type LiveSizes } from '../shape.ts';
import { Binder, uniformOf, type Bound, type Prepared, type Rooms } from './binder.ts';
import { countOf } from './pass.ts';
import { GRID_WIDTH } from './shader.ts';
import { gpuTensor, type GpuTensor } from './tensor.ts';

/** Sets of tensors that are remembered: more than the microbatches and layers that share a program. */
export const REMEMBERED = 1024;

/** What a running program needs of its device. */
export interface Ground extends Rooms {
  /** Says that `program` may have refused operands since the last read. */
  ran(program: string): void;
  /** Throws `DeviceLost`, or what went wrong since. */
  check(): void;
}

export interface GpuExecutableOptions extends Omit<Prepared, 'program' | 'sizes'> {
  /** Names of the dynamic dimensions, in the order of the uniform. */
  readonly dims: readonly string[];
}

export class GpuExecutable implements Executable {
  readonly program: Program;
  readonly scratchBytes: number;
  readonly times: RunTimes = { runs: 0, nativeMs: 0, wasmMs: 0, hostMs: 0 };
  private readonly options: GpuExecutableOptions;
  private readonly ground: Ground;
  private readonly binder: Binder;
  private readonly sizes: GPUBuffer | null;
  private readonly known = new Map<string, Bound>();
  private written = '';

  constructor(program: Program, options: GpuExecutableOptions, ground: Ground) {
    const { planned, dims } = options;
    this.program = program;
    this.options = options;
    this.ground = ground;
    this.scratchBytes = planned.slotBytes.reduce((sum, bytes) => sum + bytes, 0);
    this.sizes = liveSizesBuffer(
      ground.device,
      program.name,
      dims.map(() => 0),
    );
    this.binder = new Binder({ ...options, program, sizes: this.sizes }, ground);
  }

  /** The device's own queue is not seen from here, so that it gives way to nobody. */
  runLater(bindings: Bindings, live: LiveSizes = {}): Promise<void> {
    return this.run(bindings, live);
  }

  /** Resolves at once: the queue sees to the order. What is wrong with the operands rejects. */
  run(bindings: Bindings, live: LiveSizes = {}): Promise<void> {
    return new Promise((resolve) => {
      this.runNow(bindings, live);
      resolve();
    });
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
    return {
      buffers: this.sizes === null ? 0 : 1,
      bindGroups: [...this.known.values()].reduce((sum, { groups }) => sum + groups.length, 0),
    };
  }

  private runNow(bindings: Bindings, live: LiveSizes): void {
    const startMs = performance.now();
    this.ground.check();
    const tensors = this.tensorsOf(bindings, live);
    const key = [...tensors.values()].map(({ id }) => id).join();
    const known = this.known.get(key);
    if (known === undefined && this.known.size >= REMEMBERED) this.forget();
    const bound = known ?? this.binder.bind(tensors);
    this.known.set(key, bound);
    this.record(bound, live);
    this.times.runs++;
    this.times.hostMs += performance.now() - startMs;
  }

  private record({ groups, copies }: Bound, live: LiveSizes): void {
    const { device } = this.ground;
    const { planned, pipelines, dims } = this.options;
    this.writeSizes(dims.map((name) => live[name]));
    const sizeOf = (dim: Dim): number => (typeof dim === 'number' ? dim : live[dim.name]);
    const encoder = device.createCommandEncoder();
    if (planned.passes.length > 0) {
      const recording = encoder.beginComputePass();
      planned.passes.forEach((pass, i) => {
        const count = pass.workgroups(sizeOf);
        if (count > 0) dispatch(recording, pipelines[i].pipeline, groups[i], count);
      });
      recording.end();
    }
    for (const { from, to, value } of copies) {
      const count = countOf(value.type.shape, sizeOf);
      const whole = Math.ceil((count * bytesPerElement[value.type.dtype]) / 4) * 4;
      if (whole > 0) encoder.copyBufferToBuffer(from.buffer, from.offset, to.buffer, to.offset, whole);
    }
    device.queue.submit([encoder.finish()]);
    if (planned.passes.some(({ canRefuse }) => canRefuse)) this.ground.ran(this.program.name);
  }

  private writeSizes(sizes: readonly number[]): void {
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

/** Records `count` workgroups, for each of `owners`. */
export function dispatch(
  encoder: GPUComputePassEncoder,
  pipeline: GPUComputePipeline,
  group: GPUBindGroup,
  count: number,
  owners = 1,
): void {
  encoder.setPipeline(pipeline);
  encoder.setBindGroup(0, group);
  encoder.dispatchWorkgroups(Math.min(count, GRID_WIDTH), Math.ceil(count / GRID_WIDTH), owners);
}

/** The uniform of live sizes; null where there are none. */
export function liveSizesBuffer(device: GPUDevice, program: string, sizes: readonly number[]): GPUBuffer | null {
  return sizes.length === 0 ? null : uniformOf(device, `live sizes of ${program}`, sizeWords(sizes));
}

/** Whole vectors. */
function sizeWords(sizes: readonly number[]): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(Math.ceil(sizes.length / 4) * 4);
  words.set(sizes);
  return words;
}
