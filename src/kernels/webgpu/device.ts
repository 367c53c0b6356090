/**
 * The `webgpu` device: one GPUDevice, whose queue runs things in the order in which they are asked for. All programs share
 * a few scratch buffers, since one runs at a time; a program that needs larger ones replaces them when it is compiled.
 */
import { createRequire } from 'node:module';
import type { Device, Executable, Slice, Tensor } from '../device.ts';
import { bytesPerElement, type Data } from '../dtype.ts';
import { OutOfSliceMemory, ProgramError } from '../errors.ts';
import type { Program } from '../program.ts';
import { elements, type Shape } from '../shape.ts';
import type { Table } from '../table.ts';
import { openAdapter, type OpenAdapter } from './adapters.ts';
import { pin } from './dawn.ts';
import { DeviceLost, LimitExceeded, ShaderRefused } from './errors.ts';
import { GpuExecutable, type Ground, type Pipelines } from './executable.ts';
import type { AdapterTraits } from './lowering.ts';
import type { Pass } from './pass.ts';
import { planPasses } from './plan.ts';
import { Readback } from './readback.ts';
import { shaderText } from './shader.ts';
import { subgroupMatrixOf } from './subgroup_matrix.ts';
import { GpuSlice, type BufferSource } from './slice.ts';
import { boundBytes, gpuTensor } from './tensor.ts';

export interface WebGpuDeviceOptions {
  /** Bytes for all slices and scratch of this device. */
  readonly bytes: number;
  /** Whether shaders do without barriers; by default where the adapter computes on the processor. */
  readonly isSerial?: boolean;
  /** Told once when the device is gone. */
  readonly onLost?: (error: DeviceLost) => void;
}

/** Limits that are raised to what the adapter has; those of alignment are lowered to it. */
const wantedLimits = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
  'minStorageBufferOffsetAlignment',
] as const;

/** Features that are used where they are. */
const wantedFeatures = ['shader-f16', 'subgroups', 'chromium-experimental-subgroup-matrix'];

const storageUsage = (): number => GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;

export class WebGpuDevice implements Device {
  readonly kind = 'webgpu';
  readonly sharesMemory = false;
  readonly adapterName: string;
  readonly numericsClass: string;
  private readonly device: GPUDevice;
  private readonly traits: AdapterTraits;
  private readonly bytes: number;
  private readonly source: BufferSource;
  private readonly ground: Ground;
  private readonly readback: Readback;
  private readonly refusal: GPUBuffer;
  private readonly pipelines = new Map<string, Promise<Pipelines>>();
  private readonly compiled = new Map<Program, Promise<GpuExecutable>>();
  private readonly ready: GpuExecutable[] = [];
  /** Programs that may have refused operands since the last read. */
  private readonly suspects = new Set<string>();
  private readonly tables = new Map<string, GPUBuffer>();
  private scratch: GPUBuffer[] = [];
  /** Of slices, scratch and tables. */
  private readonly taken = new Set<GPUBuffer>();
  private used = 0;
  private failure: Error | null = null;
  private isClosed = false;

  /** Opens the adapter that `wanted` names (see `openAdapter`). Throws `NoAdapter`. */
  static async open(wanted: string, options: WebGpuDeviceOptions): Promise<WebGpuDevice> {
    const opened = await openAdapter(wanted);
    return await WebGpuDevice.over(opened, options);
  }

  static async over(opened: OpenAdapter, options: WebGpuDeviceOptions): Promise<WebGpuDevice> {
    const { adapter } = opened;
    const requiredLimits = Object.fromEntries(wantedLimits.map((name) => [name, adapter.limits[name]]));
    const requiredFeatures = wantedFeatures.filter((name) => adapter.features.has(name)) as GPUFeatureName[];
    const device = pin(await adapter.requestDevice({ requiredLimits, requiredFeatures }));
    return new WebGpuDevice(device, opened, options);
  }

  private constructor(device: GPUDevice, opened: OpenAdapter, options: WebGpuDeviceOptions) {
    const { bytes, isSerial = opened.isSoftware, onLost } = options;
    this.device = device;
    this.bytes = bytes;
    this.adapterName = opened.name;
    this.numericsClass = numericsClassOf(opened);
    this.traits = {
      isSerial,
      features: new Set(device.features),
      subgroupMatrix: subgroupMatrixOf(opened.adapter, device),
    };
    this.source = {
      alignment: device.limits.minStorageBufferOffsetAlignment,
      take: (owner, what, size) => this.take(owner, what, size),
      give: (buffer) => this.give(buffer),
    };
    this.refusal = device.createBuffer({ label: 'refusal', size: 16, usage: storageUsage() });
    this.readback = new Readback(device, this.refusal, (code) => this.refused(code));
    this.ground = {
      device,
      scratch: (slot) => this.scratch[slot],
      table: ({ name }) => this.tables.get(name)!,
      refusal: this.refusal,
      ran: (program) => this.suspects.add(program),
      check: () => this.check(),
    };
    device.addEventListener('uncapturederror', ({ error }) => {
      this.failure ??= new ProgramError('webgpu', error.message);
    });
    void device.lost.then(({ message, reason }) => {
      if (this.isClosed) return;
      const lost = new DeviceLost(this.adapterName, message === '' ? reason : message);
      this.failure = lost;
      onLost?.(lost);
    });
  }

  get usedBytes(): number {
    return this.used;
  }

  /** What of Dawn's is alive: buffers of any use, and bind groups. */
  counts(): { readonly buffers: number; readonly bindGroups: number; readonly usedBytes: number } {
    const bound = this.ready.map((executable) => executable.counts());
    const total = (kind: 'buffers' | 'bindGroups'): number => bound.reduce((sum, counts) => sum + counts[kind], 0);
    const own = this.isClosed ? 0 : 1;
    return {
      buffers: own + this.taken.size + this.readback.buffers + total('buffers'),
      bindGroups: total('bindGroups'),
      usedBytes: this.used,
    };
  }

  async compile(program: Program): Promise<Executable> {
    const known = this.compiled.get(program) ?? this.build(program);
    this.compiled.set(program, known);
    try {
      return await known;
    } catch (error) {
      this.compiled.delete(program);
      throw error;
    }
  }

  executables(): Promise<readonly Executable[]> {
    return Promise.all(this.compiled.values());
  }

  slice(owner: string, budgetBytes: number): Slice {
    return new GpuSlice(this.source, owner, budgetBytes);
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

  async read(tensor: Tensor, length?: number): Promise<Data> {
    this.check();
    const from = gpuTensor('read', 'tensor', tensor);
    const data = await this.readback.read(from, length ?? elements(from.shape));
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
    this.readback.release();
    // Slices are released by their owners; what they left goes with the device.
    [...this.taken].forEach((buffer) => this.give(buffer));
    this.refusal.destroy();
    this.device.destroy();
    await this.device.lost;
  }

  private async build(program: Program): Promise<GpuExecutable> {
    this.check();
    const { limits } = this.device;
    // One is the uniform of live sizes, and one the refusal's.
    const buffers = limits.maxStorageBuffersPerShaderStage - 2;
    const planned = planPasses(program, this.traits, { buffers });
    const dims = dimsOf(program);
    this.reserveScratch(program.name, planned.slotBytes);
    for (const table of planned.tables.values()) this.place(table);
    const pipelines = await Promise.all(planned.passes.map((pass) => this.pipelineOf(program.name, pass, dims)));
    const executable = new GpuExecutable(program, planned, pipelines, dims, this.ground);
    this.ready.push(executable);
    return executable;
  }

  private pipelineOf(program: string, pass: Pass, dims: readonly string[]): Promise<Pipelines> {
    const code = shaderText(pass, dims);
    const known = this.pipelines.get(code) ?? this.makePipeline(program, pass, code, dims.length > 0);
    this.pipelines.set(code, known);
    return known;
  }

  private async makePipeline(program: string, pass: Pass, code: string, hasSizes: boolean): Promise<Pipelines> {
    const { device } = this;
    const { bindings, canRefuse, label } = pass;
    const most = device.limits.maxStorageBuffersPerShaderStage;
    const asked = bindings.length + Number(canRefuse);
    const limit = 'maxStorageBuffersPerShaderStage';
    if (asked > most) throw new LimitExceeded(this.adapterName, limit, `${label} of ${program}`, asked, most);
    const types: GPUBufferBindingType[] = bindings.map((b) => (b.isWritten ? 'storage' : 'read-only-storage'));
    if (hasSizes) types.push('uniform');
    if (canRefuse) types.push('storage');
    const layout = device.createBindGroupLayout({
      label,
      entries: types.map((type, binding) => ({ binding, visibility: GPUShaderStage.COMPUTE, buffer: { type } })),
    });
    device.pushErrorScope('validation');
    const module = device.createShaderModule({ label, code });
    const invalid = await device.popErrorScope();
    if (invalid !== null) throw new ShaderRefused(this.adapterName, program, label, invalid.message);
    try {
      const pipeline = await device.createComputePipelineAsync({
        label,
        layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
        compute: { module, entryPoint: 'main' },
      });
      return { pipeline, layout };
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new ShaderRefused(this.adapterName, program, label, reason);
    }
  }

  private place(table: Table): void {
    const { name } = table;
    if (this.tables.has(name)) return;
    const values = table.make();
    const buffer = this.take('device', `table ${name}`, boundBytes(values.byteLength));
    this.device.queue.writeBuffer(buffer, 0, inWords(values));
    this.tables.set(name, buffer);
  }

  private reserveScratch(program: string, slotBytes: readonly number[]): void {
    slotBytes.forEach((bytes, slot) => {
      const old = this.scratch.at(slot);
      if (old !== undefined && old.size >= bytes) return;
      if (old !== undefined) this.give(old);
      this.scratch[slot] = this.take('device', `scratch of program ${program}`, bytes);
    });
  }

  private take(owner: string, what: string, bytes: number): GPUBuffer {
    this.check();
    const { maxBufferSize, maxStorageBufferBindingSize } = this.device.limits;
    const [limit, most] =
      maxBufferSize < maxStorageBufferBindingSize
        ? ['maxBufferSize', maxBufferSize]
        : ['maxStorageBufferBindingSize', maxStorageBufferBindingSize];
    if (bytes > most) throw new LimitExceeded(this.adapterName, limit, `${owner}: ${what}`, bytes, most);
    if (this.used + bytes > this.bytes) throw new OutOfSliceMemory(owner, what, bytes, this.used, this.bytes);
    this.used += bytes;
    const buffer = this.device.createBuffer({ label: `${owner}: ${what}`, size: bytes, usage: storageUsage() });
    this.taken.add(buffer);
    return buffer;
  }

  /** What was bound may be this buffer. */
  private give(buffer: GPUBuffer): void {
    this.used -= buffer.size;
    this.taken.delete(buffer);
    buffer.destroy();
    this.ready.forEach((executable) => executable.forget());
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

/** Names of the program's dynamic dimensions, in the order in which they first appear. */
export function dimsOf({ inputs, nodes }: Program): string[] {
  const shapes: Shape[] = [...inputs.map((b) => b.value), ...nodes.flatMap((node) => node.outputs)].map(
    ({ type }) => type.shape,
  );
  return [...new Set(shapes.flatMap((shape) => shape.flatMap((dim) => (typeof dim === 'number' ? [] : [dim.name]))))];
}

/** As Dawn takes it: whole words, and not in shared memory. */
function inWords(data: Data): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const isWhole = bytes.length % 4 === 0;
  if (isWhole && bytes.buffer instanceof ArrayBuffer) return bytes as Uint8Array<ArrayBuffer>;
  const copy = new Uint8Array(Math.ceil(bytes.length / 4) * 4);
  copy.set(bytes);
  return copy;
}

function numericsClassOf({ adapter, backend }: OpenAdapter): string {
  const { version } = createRequire(import.meta.url)('webgpu/package.json') as { version: string };
  const { vendor, architecture, description } = adapter.info;
  return `webgpu/${backend}/${vendor}/${architecture}/${description}/dawn-${version}`;
}
