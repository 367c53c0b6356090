/**
 * Reads of device memory. Those that are asked for before anybody waits come back in one buffer: a copy on the device, one
 * map, and the values in memory of their own.
 */
import { bytesPerElement, view, type Data } from '../dtype.ts';
import { beginWait } from './polling.ts';
import type { GpuTensor } from './tensor.ts';

interface Asked {
  readonly tensor: GpuTensor;
  readonly length: number;
  /** The first element that is wanted. */
  readonly at: number;
  readonly resolve: (data: Data) => void;
  readonly reject: (error: unknown) => void;
}

/** The whole words that hold what is asked for, in bytes, and how many bytes of them come before it. */
function rangeOf({ tensor: { dtype }, length, at }: Asked): { start: number; size: number; before: number } {
  const first = at * bytesPerElement[dtype];
  const start = first - (first % 4);
  const end = Math.ceil((first + length * bytesPerElement[dtype]) / 4) * 4;
  return { start, size: length === 0 ? 0 : end - start, before: first - start };
}

export class Readback {
  private readonly device: GPUDevice;
  /** One word that comes along with every read. */
  private readonly refusal: GPUBuffer;
  private readonly onRefusal: (code: number) => Error | null;
  private asked: Asked[] = [];
  private made = 0;
  /** Buffers that are free, by size. */
  private readonly spare = new Map<number, GPUBuffer[]>();
  private underWay: Promise<void> = Promise.resolve();

  /** `onRefusal` is given the word, and says what is wrong. */
  constructor(device: GPUDevice, refusal: GPUBuffer, onRefusal: (code: number) => Error | null) {
    this.device = device;
    this.refusal = refusal;
    this.onRefusal = onRefusal;
  }

  read(tensor: GpuTensor, length: number, at: number): Promise<Data> {
    return new Promise((resolve, reject) => {
      if (this.asked.length === 0) queueMicrotask(() => this.fetch());
      this.asked.push({ tensor, length, at, resolve, reject });
    });
  }

  /** Resolves when no read is under way. */
  async settled(): Promise<void> {
    await this.underWay;
  }

  /** Those that are there. */
  get buffers(): number {
    return this.made;
  }

  release(): void {
    this.made = 0;
    for (const buffers of this.spare.values()) buffers.forEach((buffer) => buffer.destroy());
    this.spare.clear();
  }

  private fetch(): void {
    const { asked } = this;
    this.asked = [];
    const fetching = this.fetchAll(asked).catch((error: unknown) => asked.forEach(({ reject }) => reject(error)));
    this.underWay = Promise.all([this.underWay, fetching]).then(() => undefined);
  }

  private async fetchAll(asked: readonly Asked[]): Promise<void> {
    const ranges = asked.map(rangeOf);
    const bytes = ranges.reduce((sum, { size }) => sum + size, 4);
    const staging = this.stagingOf(bytes);
    const encoder = this.device.createCommandEncoder();
    encoder.copyBufferToBuffer(this.refusal, 0, staging, 0, 4);
    let at = 4;
    const places = asked.map(({ tensor }, i) => {
      const { start, size, before } = ranges[i];
      const place = at + before;
      if (size > 0) encoder.copyBufferToBuffer(tensor.buffer, tensor.offset + start, staging, at, size);
      at += size;
      return place;
    });
    this.device.queue.submit([encoder.finish()]);
    beginWait();
    await staging.mapAsync(GPUMapMode.READ, 0, bytes);
    const mapped = staging.getMappedRange(0, bytes);
    const [code] = new Uint32Array(mapped, 0, 1);
    const copies = asked.map(({ tensor, length }, i) => {
      const own = mapped.slice(places[i], places[i] + length * bytesPerElement[tensor.dtype]);
      return view(tensor.dtype, own, 0, length);
    });
    staging.unmap();
    this.spareOf(staging.size).push(staging);
    const refused = code === 0 ? null : this.onRefusal(code);
    asked.forEach(({ resolve, reject }, i) => (refused === null ? resolve(copies[i]) : reject(refused)));
  }

  private stagingOf(bytes: number): GPUBuffer {
    const size = 2 ** Math.ceil(Math.log2(Math.max(bytes, 4096)));
    const spare = this.spareOf(size).pop();
    if (spare !== undefined) return spare;
    this.made++;
    return this.device.createBuffer({
      label: 'readback',
      size,
      usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
    });
  }

  private spareOf(size: number): GPUBuffer[] {
    const spare = this.spare.get(size) ?? [];
    this.spare.set(size, spare);
    return spare;
  }
}
