/**
 * Static memory plan of a program's intermediates: those that pass from one segment to a later one, or from one op to
 * another of a segment through memory. Two share memory when their lifetimes (in segments) do not meet. What lives inside
 * an ONNX segment is onnxruntime's own affair.
 */
import { align, BOUNDLESS_BYTES, Ranges, type Range } from '../ranges.ts';
import { bytesPerElement } from '../dtype.ts';
import type { Value } from '../graph.ts';
import { maxElements } from '../shape.ts';
import type { PlannedSegment } from './partition.ts';

export interface ScratchPlan {
  readonly bytes: number;
  readonly offsets: ReadonlyMap<Value, number>;
}

/** Room for one value, at least two rows: fewer run as two (see `executable.ts`). */
export function valueBytes(value: Value): number {
  const { shape, dtype } = value.type;
  const padded = shape.map((dim) => (typeof dim === 'number' ? dim : Math.max(dim.max, 2)));
  return align(maxElements(padded) * bytesPerElement[dtype]);
}

/** Plans every value that a segment of `program` makes and does not keep inside, unless `bound` (a program output). */
export function planScratch(
  program: string,
  segments: readonly PlannedSegment[],
  bound: (value: Value) => boolean,
): ScratchPlan {
  const lives = new Map<Value, { first: number; last: number }>();
  segments.forEach((segment, at) => {
    for (const node of segment.nodes) {
      for (const value of node.inputs) {
        const life = lives.get(value);
        if (life !== undefined) life.last = at;
      }
      for (const value of node.outputs) lives.set(value, { first: at, last: at });
    }
  });
  const memory = new Ranges(BOUNDLESS_BYTES);
  const endingIn: Range[][] = segments.map(() => []);
  const offsets = new Map<Value, number>();
  let at = 0;
  // In the order of their first segment.
  for (const [value, { first, last }] of lives) {
    for (; at < first; at++) endingIn[at].forEach((range) => memory.give(range));
    const bytes = valueBytes(value);
    if (bound(value) || segments[first].inside.has(value)) continue;
    if (bytes === 0) {
      offsets.set(value, 0);
      continue;
    }
    const range = memory.take(program, `value ${value.id}`, bytes);
    endingIn[last].push(range);
    offsets.set(value, range.offset);
  }
  return { bytes: memory.peakBytes, offsets };
}
