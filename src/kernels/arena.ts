/**
 * Memory of one worker's device: a single shared `WebAssembly.Memory`, so that generated code can later work in place
 * beside onnxruntime, and an allocator of ranges over it.
 */
import { Ranges, type Range } from './ranges.ts';

const pageBytes = 65536;

/** Bytes of an arena that was asked to have `bytes`: whole pages. */
export const arenaBytes = (bytes: number): number => Math.ceil(bytes / pageBytes) * pageBytes;

const memories = new WeakMap<ArrayBufferLike, WebAssembly.Memory>();

/** The memory of the arena that `buffer` is, or undefined for any other buffer: where generated code may work in place. */
export function memoryOf(buffer: ArrayBufferLike): WebAssembly.Memory | undefined {
  return memories.get(buffer);
}

export class Arena {
  readonly memory: WebAssembly.Memory;
  readonly bytes: number;
  private readonly ranges: Ranges;

  /** Reserves `bytes` of address space; pages take real memory when they are first written. */
  constructor(bytes: number) {
    this.bytes = arenaBytes(bytes);
    const pages = this.bytes / pageBytes;
    this.memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
    memories.set(this.memory.buffer, this.memory);
    this.ranges = new Ranges(this.bytes);
  }

  get usedBytes(): number {
    return this.ranges.usedBytes;
  }

  get buffer(): ArrayBufferLike {
    return this.memory.buffer;
  }

  /** Takes a range of at least `bytes`. Throws `OutOfSliceMemory` in the name of `owner`. */
  take(owner: string, what: string, bytes: number): Range {
    return this.ranges.take(owner, what, bytes);
  }

  give(range: Range): void {
    this.ranges.give(range);
  }
}
