/**
 * Memory of one worker's device: a single shared `WebAssembly.Memory`, so that generated code can later work in place
 * beside onnxruntime, and a first-fit allocator of ranges over it. Ranges are 64-byte aligned.
 */
import { OutOfSliceMemory } from './errors.ts';

export const alignmentBytes = 64;
const pageBytes = 65536;

export interface Range {
  readonly offset: number;
  readonly bytes: number;
}

export const align = (bytes: number): number => Math.ceil(bytes / alignmentBytes) * alignmentBytes;

const memories = new WeakMap<ArrayBufferLike, WebAssembly.Memory>();

/** The memory of the arena that `buffer` is, or undefined for any other buffer: where generated code may work in place. */
export function memoryOf(buffer: ArrayBufferLike): WebAssembly.Memory | undefined {
  return memories.get(buffer);
}

export class Arena {
  readonly memory: WebAssembly.Memory;
  readonly bytes: number;
  private free: Range[];

  /** Reserves `bytes` of address space; pages take real memory when they are first written. */
  constructor(bytes: number) {
    const pages = Math.ceil(bytes / pageBytes);
    this.memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
    memories.set(this.memory.buffer, this.memory);
    this.bytes = pages * pageBytes;
    this.free = [{ offset: 0, bytes: this.bytes }];
  }

  get usedBytes(): number {
    return this.bytes - this.free.reduce((sum, range) => sum + range.bytes, 0);
  }

  get buffer(): ArrayBufferLike {
    return this.memory.buffer;
  }

  /** Takes a range of at least `bytes`. Throws `OutOfSliceMemory` in the name of `owner`. */
  take(owner: string, what: string, bytes: number): Range {
    const wanted = Math.max(align(bytes), alignmentBytes);
    const index = this.free.findIndex((range) => range.bytes >= wanted);
    const found = this.free[index];
    if (found === undefined) throw new OutOfSliceMemory(owner, what, wanted, this.usedBytes, this.bytes);
    const rest = { offset: found.offset + wanted, bytes: found.bytes - wanted };
    this.free.splice(index, 1, ...(rest.bytes > 0 ? [rest] : []));
    return { offset: found.offset, bytes: wanted };
  }

  /** Returns a range, merging it with its free neighbours. */
  give(range: Range): void {
    const sorted = [...this.free, range].sort((a, b) => a.offset - b.offset);
    this.free = [];
    for (const next of sorted) {
      const last = this.free.at(-1);
      if (last !== undefined && last.offset + last.bytes === next.offset) {
        this.free[this.free.length - 1] = { offset: last.offset, bytes: last.bytes + next.bytes };
      } else this.free.push(next);
    }
  }
}
