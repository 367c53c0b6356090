/**
 * The `webgpu` device: one GPUDevice, whose queue runs things in the order in which they are asked for. All programs share
 * a few scratch buffers, since one runs at a time; a program that needs larger ones replaces them when it is compiled.
 */
import { Compilations } from '../compilations.ts';
import { checkCopy } from '../copy.ts';
import type {
  BankPlace,
  Device,
  Executable,
  GroupExecutable,
  GroupSize,
  Slice,
  Tensor,
  TensorCopy,
} from '../device.ts';
import { bytesPerElement, type Data } from '../dtype.ts';
import { ProgramError } from '../errors.ts';
import { groupProgram, type GroupProgram } from '../group_program.ts';
import type { Program } from '../program.ts';
import { elements } from '../shape.ts';
import { openAdapter, type OpenAdapter } from './adapters.ts';
import { Banks } from './banks.ts';
import { Buffers } from './buffers.ts';
import { Compiler } from './compiler.ts';
import { DeviceLost } from './errors.ts';
import type { GpuExecutable, Ground } from './executable.ts';
import type { GpuGroup } from './group.ts';
import { Pipelines } from './pipelines.ts';
import { Readback } from './readback.ts';
import { numericsClassOf, requestDevice } from './request_device.ts';
import { subgroupMatrixOf } from './subgroup_matrix.ts';
import { GpuSlice } from './slice.ts';
import { gpuTensor } from './tensor.ts';
import { Tuning, type Choices } from './tuning.ts';
import type { TuningFile } from './tuning_file.ts';
import { inWords } from './words.ts';

export interface WebGpuDeviceOptions {
  /** Bytes for all slices and scratch of this device. */
  readonly bytes: number;
  /** Whether shaders do without barriers; by default where the adapter computes on the processor. */
  readonly isSerial?: boolean;
  /** Whether it is opened with what WebGPU promises of every adapter, and no more: least limits, no features. For tests. */
  readonly isBare?: boolean;
  /** Whether forms of equal results are timed, and the fastest taken; by default on a GPU. */
  readonly autotune?: boolean;
  /** Where what was found out is kept; default: nowhere. */
  readonly tuning?: TuningFile;
  /** Told once when the device is gone. */
  readonly onLost?: (error: DeviceLost) => void;
}

export class WebGpuDevice implements Device {
  readonly kind = 'webgpu';
  readonly sharesMemory = false;
  readonly adapterName: string;
  readonly numericsClass: string;
  private readonly device: GPUDevice;
  private readonly buffers: Buffers;
  private readonly banks: Banks;
  private readonly autotunes: boolean;
  private readonly tuning: Tuning;
  private readonly tuningFile: TuningFile | null;
  private readonly ground: Ground;
  private readonly readback: Readback;
  private readonly refusal: GPUBuffer;
  private readonly compiler: Compiler;
  private readonly compiled = new Compilations((program: Program) => this.build(program));
  private readonly groups = new Compilations((group: GroupProgram) => this.buildGroup(group));
  private readonly ready: (GpuExecutable | GpuGroup)[] = [];
  /** Programs that may have refused operands since the last read. */
  private readonly suspects = new Set<string>();
  private failure: Error | null = null;
  private isClosed = false;

  /** Opens the adapter that `wanted` names (see `openAdapter`). Throws `DawnMissing`, `NoAdapter`, `DeviceRefused`. */
  static async open(wanted: string, options: WebGpuDeviceOptions): Promise<WebGpuDevice> {
    const opened = await openAdapter(wanted);
    return await WebGpuDevice.over(opened, options);
  }

  /** Throws `DeviceRefused`. */
  static async over(opened: OpenAdapter, options: WebGpuDeviceOptions): Promise<WebGpuDevice> {
    return new WebGpuDevice(await requestDevice(opened, options.isBare), opened, options);
  }

  private constructor(device: GPUDevice, opened: OpenAdapter, options: WebGpuDeviceOptions) {
    const { bytes, isSerial = opened.isSoftware, autotune = !opened.isSoftware, tuning, onLost } = options;
    this.device = device;
    this.adapterName = opened.name;
    this.numericsClass = numericsClassOf(opened);
    this.autotunes = autotune;
    this.tuningFile = tuning ?? null;
    this.tuning = new Tuning(tuning?.choices(this.numericsClass));
    this.buffers = new Buffers(device, opened.name, bytes, () => this.ready.forEach((each) => each.forget()));
    this.banks = new Banks(this.buffers);
    this.refusal = device.createBuffer({
      label: 'refusal',
      size: 16,
      usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
    });
    this.readback = new Readback(device, this.refusal, (code) => this.refused(code));
    this.ground = {
      device,
      scratch: (slot) => this.buffers.scratch(slot),
      table: (table) => this.buffers.table(table),
      refusal: this.refusal,
      ran: (program) => this.suspects.add(program),
      check: () => this.check(),
    };
    this.compiler = new Compiler({
      traits: {
        isSerial,
        features: new Set(device.features),
        subgroupMatrix: subgroupMatrixOf(opened.adapter, device),
      },
      buffers: this.buffers,
      pipelines: new Pipelines(device, opened.name),
      tuning: autotune ? this.tuning : null,
      ground: this.ground,
    });
    device.addEventListener('uncapturederror', ({ error }) => {
      this.failure ??= new ProgramError('webgpu', error.message.split('\n')[0]);
    });
    void device.lost.then(({ message, reason }) => {
      if (this.isClosed) return;
      const lost = new DeviceLost(this.adapterName, message === '' ? reason : message);
      this.failure = lost;
      onLost?.(lost);
    });
  }

  get usedBytes(): number {
    return this.buffers.usedBytes;
  }

  /** Which forms it took so far, for what; none where it does not tune. */
  get choices(): Choices {
    return this.tuning.choices;
  }

  /** What of Dawn's is alive: buffers of any use, and bind groups. */
  counts(): { readonly buffers: number; readonly bindGroups: number; readonly usedBytes: number } {
    const bound = this.ready.map((executable) => executable.counts());
    const total = (kind: 'buffers' | 'bindGroups'): number => bound.reduce((sum, counts) => sum + counts[kind], 0);
    const own = this.isClosed ? 0 : 1;
    return {
      buffers: own + this.buffers.count + this.readback.buffers + total('buffers'),
      bindGroups: total('bindGroups'),
      usedBytes: this.buffers.usedBytes,
    };
  }

  compile(program: Program): Promise<Executable> {
    return this.compiled.of(program);
  }

  compileGroup(program: Program, size: GroupSize): Promise<GroupExecutable> {
    return this.groups.of(groupProgram(program, size));
  }

  executables(): Promise<readonly Executable[]> {
    return this.compiled.all();
  }

  slice(owner: string, budgetBytes: number, place?: BankPlace): Slice {
    return new GpuSlice(place === undefined ? this.buffers : this.banks.source(place), owner, budgetBytes);
  }

  write(tensor: Tensor, data: Data, at = 0): void {
    this.check();
    const { buffer, offset, dtype, shape } = gpuTensor('write', 'tensor', tensor);
    const start = at * bytesPerElement[dtype];
    if (start % 4 !== 0) throw new ProgramError('write', `element ${at} of ${dtype} does not begin a word`);
    if (at + data.length > elements(shape))
      throw new ProgramError('write', `${data.length} elements from ${at} on do not fit ${elements(shape)}`);
    if (data.length === 0) return;
    this.device.queue.writeBuffer(buffer, offset + start, inWords(data));
  }

  copy(copies: readonly TensorCopy[]): void {
    this.check();
    const encoder = this.device.createCommandEncoder();
    for (const { from, to, length } of copies) {
      const [source, target] = [gpuTensor('copy', 'from', from.tensor), gpuTensor('copy', 'to', to.tensor)];
      checkCopy(source, target, { from: from.at, to: to.at, length });
      if (source.buffer === target.buffer)
        throw new ProgramError('copy', 'both ranges are in one buffer of the device');
      const size = bytesPerElement[source.dtype];
      const whole = Math.ceil((length * size) / 4) * 4;
      const [start, end] = [source.offset + from.at * size, target.offset + to.at * size];
      if (whole > 0) encoder.copyBufferToBuffer(source.buffer, start, target.buffer, end, whole);
    }
    this.device.queue.submit([encoder.finish()]);
  }

  async read(tensor: Tensor, length?: number, at = 0): Promise<Data> {
    this.check();
    const from = gpuTensor('read', 'tensor', tensor);
    const data = await this.readback.read(from, length ?? elements(from.shape) - at, at);
    this.check();
    return data;
  }

  async close(): Promise<void> {
    if (this.isClosed) return;
    this.isClosed = true;
    await this.readback.settled();
    this.ready.forEach((executable) => executable.release());
    this.ready.length = 0;
    this.compiled.clear();
    this.groups.clear();
    this.readback.release();
    this.buffers.release();
    this.refusal.destroy();
    this.device.destroy();
    await this.device.lost;
  }

  private async build(program: Program): Promise<GpuExecutable> {
    this.check();
    return this.keep(await this.compiler.make(program));
  }

  private async buildGroup(group: GroupProgram): Promise<GpuGroup> {
    this.check();
    return this.keep(await this.compiler.makeGroup(group));
  }

  private keep<E extends GpuExecutable | GpuGroup>(made: E): E {
    this.ready.push(made);
    if (this.autotunes) this.tuningFile?.keep(this.numericsClass, this.tuning.choices);
    return made;
  }

  private check(): void {
    if (this.failure !== null) throw this.failure;
    if (this.isClosed) throw new ProgramError('webgpu', 'the device is closed');
  }

  private refused(code: number): Error {
    this.device.queue.writeBuffer(this.refusal, 0, new Uint32Array(1));
    const programs = [...this.suspects].join(', ');
    this.suspects.clear();
    return new ProgramError(programs, `an index or a target is outside of its table (${code})`);
  }
}
