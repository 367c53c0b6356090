/**
 * A first-fit allocator of 64-byte aligned ranges. It deals in offsets only and holds no memory, so that a device can
 * hand out the memory it has by it, and a dry one the memory that nobody has yet; both place every range alike.
 */
import { OutOfSliceMemory } from './errors.ts';

export const alignmentBytes = 64;

/** Of an allocator that holds no memory: more than anybody has, and sums of it are exact in a float. */
export const BOUNDLESS_BYTES = 2 ** 52;

export interface Range {
  readonly offset: number;
  readonly bytes: number;
}

export const align = (bytes: number): number => Math.ceil(bytes / alignmentBytes) * alignmentBytes;

/** What a range of at least so many bytes takes. */
export const rangeBytes = (bytes: number): number => Math.max(align(bytes), alignmentBytes);

export class Ranges {
  readonly bytes: number;
  private free: Range[];
  private peak = 0;

  constructor(bytes: number) {
    this.bytes = bytes;
    this.free = [{ offset: 0, bytes }];
  }

  get usedBytes(): number {
    return this.bytes - this.free.reduce((sum, range) => sum + range.bytes, 0);
  }

  /**
   * Highest end of a range so far, holes below it included. An allocator of at least so many bytes would have placed
   * every range where this one did; one of fewer would have refused.
   */
  get peakBytes(): number {
    return this.peak;
  }

  /** Largest range that is free below the highest end of those that are taken. */
  get largestHole(): number {
    const { free, bytes } = this;
    return free.reduce((most, range) => (range.offset + range.bytes === bytes ? most : Math.max(most, range.bytes)), 0);
  }

  /** Takes a range of at least `bytes`. Throws `OutOfSliceMemory` in the name of `owner`. */
  take(owner: string, what: string, bytes: number): Range {
    const wanted = rangeBytes(bytes);
    const index = this.free.findIndex((range) => range.bytes >= wanted);
    const found = this.free[index];
    if (found === undefined) throw new OutOfSliceMemory(owner, what, wanted, this.usedBytes, this.bytes);
    const rest = { offset: found.offset + wanted, bytes: found.bytes - wanted };
    this.free.splice(index, 1, ...(rest.bytes > 0 ? [rest] : []));
    this.peak = Math.max(this.peak, rest.offset);
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
