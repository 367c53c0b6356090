/** A slice of the WebGPU device: buffers, counted against the owner's budget before Dawn is asked for them. */
import { bytesPerElement, type DType } from '../dtype.ts';
import type { FlatArena, Slice } from '../device.ts';
import { OutOfSliceMemory } from '../errors.ts';
import { flatLayout } from '../flat_layout.ts';
import { align } from '../ranges.ts';
import { elements } from '../shape.ts';
import { boundBytes, GpuTensor } from './tensor.ts';

/** Where a slice's buffers come from. */
export interface BufferSource {
  /** Bytes between views of one buffer. */
  readonly alignment: number;
  /** Throws `OutOfSliceMemory` where the device has no room, `LimitExceeded` where the adapter allows no such buffer. */
  take(owner: string, what: string, bytes: number): GPUBuffer;
  give(buffer: GPUBuffer): void;
}

export class GpuSlice implements Slice {
  readonly owner: string;
  readonly budgetBytes: number;
  private readonly source: BufferSource;
  private buffers: GPUBuffer[] = [];
  private used = 0;

  constructor(source: BufferSource, owner: string, budgetBytes: number) {
    this.source = source;
    this.owner = owner;
    this.budgetBytes = budgetBytes;
  }

  get usedBytes(): number {
    return this.used;
  }

  tensor(what: string, dtype: DType, shape: readonly number[]): GpuTensor {
    return new GpuTensor(this.take(what, elements(shape) * bytesPerElement[dtype]), 0, dtype, shape);
  }

  arena(what: string, shapes: Readonly<Record<string, readonly number[]>>): FlatArena {
    const { length, places } = flatLayout(shapes, this.source.alignment);
    const buffer = this.take(what, length * bytesPerElement.f32);
    return {
      flat: new GpuTensor(buffer, 0, 'f32', [length]),
      views: Object.fromEntries(
        places.map(({ name, shape, at }) => [name, new GpuTensor(buffer, at * bytesPerElement.f32, 'f32', shape)]),
      ),
    };
  }

  release(): void {
    this.buffers.forEach((buffer) => this.source.give(buffer));
    this.buffers = [];
    this.used = 0;
  }

  private take(what: string, asked: number): GPUBuffer {
    const bytes = align(boundBytes(asked));
    if (this.used + bytes > this.budgetBytes) {
      throw new OutOfSliceMemory(this.owner, what, bytes, this.used, this.budgetBytes);
    }
    const buffer = this.source.take(this.owner, what, bytes);
    this.buffers.push(buffer);
    this.used += bytes;
    return buffer;
  }
}
