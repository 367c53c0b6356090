/**
 * Memory of one worker's device: a single shared `WebAssembly.Memory`, so that generated code works in place beside
 * onnxruntime, and an allocator of ranges over it. Where there is no WebAssembly with threads it is a plain
 * `SharedArrayBuffer`, and no code is generated.
 */
import { wasmSupport } from './cpu/wasm/support.ts';
import { Ranges, type Range } from './ranges.ts';

const pageBytes = 65536;

/** Most bytes of an arena, and so of a worker on the processor: addresses in it have 32 bits. */
export const ARENA_LIMIT_BYTES = 2 ** 32;

/** Bytes of an arena that was asked to have `bytes`: whole pages. */
export const arenaBytes = (bytes: number): number => Math.ceil(bytes / pageBytes) * pageBytes;

export class Arena {
  /** What generated code works on; null where it cannot. */
  readonly memory: WebAssembly.Memory | null;
  readonly buffer: SharedArrayBuffer;
  readonly bytes: number;
  private readonly ranges: Ranges;

  /** Reserves `bytes` of address space, at most `ARENA_LIMIT_BYTES`; pages take real memory when they are first written. */
  constructor(bytes: number) {
    this.bytes = arenaBytes(bytes);
    const pages = this.bytes / pageBytes;
    this.memory = wasmSupport().threads
      ? new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true })
      : null;
    this.buffer = this.memory?.buffer ?? new SharedArrayBuffer(this.bytes);
    this.ranges = new Ranges(this.bytes);
  }

  get usedBytes(): number {
    return this.ranges.usedBytes;
  }

  /** Takes a range of at least `bytes`, all zero. Throws `OutOfSliceMemory` in the name of `owner`. */
  take(owner: string, what: string, bytes: number): Range {
    const everTaken = this.ranges.peakBytes;
    const range = this.ranges.take(owner, what, bytes);
    // What nobody has had is zero, and takes no real memory until it is written.
    const used = Math.min(range.bytes, everTaken - range.offset);
    if (used > 0) new Uint8Array(this.buffer, range.offset, used).fill(0);
    return range;
  }

  give(range: Range): void {
    this.ranges.give(range);
  }
}
