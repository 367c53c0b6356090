/**
 * The memory of a WebGPU device: every buffer of slices, of scratch and of tables, counted before Dawn is asked for it.
 * Scratch buffers are shared by all programs, the largest first; one that is too small for a new program is replaced.
 */
import { OutOfSliceMemory } from '../errors.ts';
import type { Table } from '../table.ts';
import { LimitExceeded } from './errors.ts';
import type { BufferPart, BufferSource } from './slice.ts';
import { boundBytes } from './tensor.ts';
import { inWords } from './words.ts';

const usage = (): number => GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;

export class Buffers implements BufferSource {
  readonly alignment: number;
  private readonly device: GPUDevice;
  private readonly adapter: string;
  private readonly bytes: number;
  private readonly onGone: () => void;
  private readonly taken = new Set<GPUBuffer>();
  private readonly tables = new Map<string, GPUBuffer>();
  private readonly slots: GPUBuffer[] = [];
  private used = 0;

  /** `bytes` in total. `onGone` is told when a buffer is gone that somebody may have bound. */
  constructor(device: GPUDevice, adapter: string, bytes: number, onGone: () => void) {
    this.device = device;
    this.adapter = adapter;
    this.bytes = bytes;
    this.onGone = onGone;
    this.alignment = device.limits.minStorageBufferOffsetAlignment;
  }

  get usedBytes(): number {
    return this.used;
  }

  get count(): number {
    return this.taken.size;
  }

  /** The largest buffer that can be made and bound as a whole, and the limit that says so. */
  get largest(): { readonly limit: string; readonly bytes: number } {
    const { maxBufferSize, maxStorageBufferBindingSize } = this.device.limits;
    return maxBufferSize < maxStorageBufferBindingSize
      ? { limit: 'maxBufferSize', bytes: maxBufferSize }
      : { limit: 'maxStorageBufferBindingSize', bytes: maxStorageBufferBindingSize };
  }

  part(owner: string, what: string, bytes: number): BufferPart {
    const buffer = this.take(owner, what, bytes);
    return { buffer, offset: 0, give: () => this.give(buffer) };
  }

  /** Throws `LimitExceeded` or `OutOfSliceMemory` in the name of `owner`. */
  take(owner: string, what: string, bytes: number): GPUBuffer {
    const { limit, bytes: most } = this.largest;
    if (bytes > most) throw new LimitExceeded(this.adapter, limit, `${owner}: ${what}`, bytes, most);
    if (this.used + bytes > this.bytes) throw new OutOfSliceMemory(owner, what, bytes, this.used, this.bytes);
    const buffer = this.device.createBuffer({ label: `${owner}: ${what}`, size: bytes, usage: usage() });
    this.used += bytes;
    this.taken.add(buffer);
    return buffer;
  }

  give(buffer: GPUBuffer): void {
    this.used -= buffer.size;
    this.taken.delete(buffer);
    buffer.destroy();
    this.onGone();
  }

  /** Makes scratch large enough for one more program. */
  reserveScratch(program: string, slotBytes: readonly number[]): void {
    slotBytes.forEach((bytes, slot) => {
      const old = this.slots.at(slot);
      if (old !== undefined && old.size >= bytes) return;
      if (old !== undefined) this.give(old);
      this.slots[slot] = this.take('device', `scratch of program ${program}`, bytes);
    });
  }

  scratch(slot: number): GPUBuffer {
    return this.slots[slot];
  }

  /** Where a table lies, from the first time it is asked for. */
  table(table: Table): GPUBuffer {
    const { name } = table;
    const known = this.tables.get(name);
    if (known !== undefined) return known;
    const values = table.make();
    const buffer = this.take('device', `table ${name}`, boundBytes(values.byteLength));
    this.device.queue.writeBuffer(buffer, 0, inWords(values));
    this.tables.set(name, buffer);
    return buffer;
  }

  /** Destroys what is left, slices of others included. */
  release(): void {
    [...this.taken].forEach((buffer) => this.give(buffer));
    this.tables.clear();
    this.slots.length = 0;
  }
}
