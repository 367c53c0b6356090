/**
 * A slice of the CPU device: ranges of the worker's arena, counted against the owner's budget.
 */
import type { Arena } from '../arena.ts';
import { bytesPerElement, type DType } from '../dtype.ts';
import type { FlatArena, Slice } from '../device.ts';
import { OutOfSliceMemory } from '../errors.ts';
import { flatLayout } from '../flat_layout.ts';
import { align, type Range } from '../ranges.ts';
import { elements } from '../shape.ts';
import { CpuTensor } from './tensor.ts';

export class CpuSlice implements Slice {
  readonly owner: string;
  readonly budgetBytes: number;
  private readonly memory: Arena;
  private ranges: Range[] = [];
  private used = 0;

  constructor(memory: Arena, owner: string, budgetBytes: number) {
    this.memory = memory;
    this.owner = owner;
    this.budgetBytes = budgetBytes;
  }

  get usedBytes(): number {
    return this.used;
  }

  tensor(what: string, dtype: DType, shape: readonly number[]): CpuTensor {
    const range = this.take(what, elements(shape) * bytesPerElement[dtype]);
    return new CpuTensor(this.memory.buffer, range.offset, dtype, shape);
  }

  arena(what: string, shapes: Readonly<Record<string, readonly number[]>>): FlatArena {
    const { length, places } = flatLayout(shapes);
    const { offset } = this.take(what, length * bytesPerElement.f32);
    const view = (at: number, shape: readonly number[]) =>
      new CpuTensor(this.memory.buffer, offset + at * bytesPerElement.f32, 'f32', shape);
    return {
      flat: view(0, [length]),
      views: Object.fromEntries(places.map(({ name, shape, at }) => [name, view(at, shape)])),
      range: (at, elementCount) => view(at, [elementCount]),
    };
  }

  release(): void {
    this.ranges.forEach((range) => this.memory.give(range));
    this.ranges = [];
    this.used = 0;
  }

  private take(what: string, bytes: number): Range {
    if (this.used + align(bytes) > this.budgetBytes) {
      throw new OutOfSliceMemory(this.owner, what, align(bytes), this.used, this.budgetBytes);
    }
    const range = this.memory.take(this.owner, what, bytes);
    this.ranges.push(range);
    this.used += range.bytes;
    return range;
  }
}
