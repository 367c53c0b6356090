/** A slice of the WebGPU device: buffers, counted against the owner's budget before Dawn is asked for them. */
import { bytesPerElement, type DType } from '../dtype.ts';
import type { FlatArena, Slice } from '../device.ts';
import { OutOfSliceMemory } from '../errors.ts';
import { flatLayout } from '../flat_layout.ts';
import { align } from '../ranges.ts';
import { elements } from '../shape.ts';
import { boundBytes, GpuTensor } from './tensor.ts';

/** A buffer, or the part of one, that is a slice's alone. */
export interface BufferPart {
  readonly buffer: GPUBuffer;
  /** In bytes. */
  readonly offset: number;
  give(): void;
}

/** Where a slice's buffers come from. */
export interface BufferSource {
  /** Bytes between views of one buffer. */
  readonly alignment: number;
  /** Throws `OutOfSliceMemory` where the device has no room, `LimitExceeded` where the adapter allows no such buffer. */
  part(owner: string, what: string, bytes: number): BufferPart;
}

export class GpuSlice implements Slice {
  readonly owner: string;
  readonly budgetBytes: number;
  private readonly source: BufferSource;
  private parts: BufferPart[] = [];
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
    const { buffer, offset } = this.take(what, elements(shape) * bytesPerElement[dtype]);
    return new GpuTensor(buffer, offset, dtype, shape);
  }

  arena(what: string, shapes: Readonly<Record<string, readonly number[]>>): FlatArena {
    const { length, places } = flatLayout(shapes, this.source.alignment);
    const { buffer, offset } = this.take(what, length * bytesPerElement.f32);
    const view = (at: number, shape: readonly number[]): GpuTensor =>
      new GpuTensor(buffer, offset + at * bytesPerElement.f32, 'f32', shape);
    return {
      flat: view(0, [length]),
      views: Object.fromEntries(places.map(({ name, shape, at }) => [name, view(at, shape)])),
      range: (at, elementCount) => view(at, [elementCount]),
    };
  }

  release(): void {
    this.parts.forEach((part) => part.give());
    this.parts = [];
    this.used = 0;
  }

  private take(what: string, asked: number): BufferPart {
    const bytes = align(boundBytes(asked));
    if (this.used + bytes > this.budgetBytes) {
      throw new OutOfSliceMemory(this.owner, what, bytes, this.used, this.budgetBytes);
    }
    const part = this.source.part(this.owner, what, bytes);
    this.parts.push(part);
    this.used += bytes;
    return part;
  }
}
