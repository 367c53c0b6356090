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
  readonly adapter: string;
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
    this.checkLimit(owner, what, bytes);
    this.checkRoom(owner, what, bytes);
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

  /** Zeroes a part, after all runs asked for before. */
  clear(buffer: GPUBuffer, offset: number, bytes: number): void {
    const encoder = this.device.createCommandEncoder();
    encoder.clearBuffer(buffer, offset, bytes);
    this.device.queue.submit([encoder.finish()]);
  }

  /** Is there room for scratch of these sizes, in the limits of the adapter and the memory of the device? */
  hasScratch(slotBytes: readonly number[]): boolean {
    const fits = slotBytes.every((bytes) => bytes <= this.largest.bytes);
    return fits && this.used + this.missing(slotBytes) <= this.bytes;
  }

  /** Makes scratch large enough for one more program. Where it throws, scratch is what it was. */
  reserveScratch(program: string, slotBytes: readonly number[]): void {
    const what = `scratch of program ${program}`;
    for (const bytes of slotBytes) this.checkLimit('device', what, bytes);
    this.checkRoom('device', what, this.missing(slotBytes));
    slotBytes.forEach((bytes, slot) => {
      const old = this.slots.at(slot);
      if (old !== undefined && old.size >= bytes) return;
      if (old !== undefined) this.give(old);
      this.slots[slot] = this.take('device', what, bytes);
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

  /** Bytes that scratch of these sizes takes beyond what there is. */
  private missing(slotBytes: readonly number[]): number {
    return slotBytes.reduce((sum, bytes, slot) => {
      const has = this.slots.at(slot)?.size ?? 0;
      return bytes > has ? sum + bytes - has : sum;
    }, 0);
  }

  private checkLimit(owner: string, what: string, bytes: number): void {
    const { limit, bytes: most } = this.largest;
    if (bytes > most) throw new LimitExceeded(this.adapter, limit, `${owner}: ${what}`, bytes, most);
  }

  private checkRoom(owner: string, what: string, bytes: number): void {
    if (this.used + bytes > this.bytes) throw new OutOfSliceMemory(owner, what, bytes, this.used, this.bytes);
  }
}
