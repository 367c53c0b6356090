/**
 * Static memory plan of a program's intermediates: those that pass from one segment to a later one, or from one op to
 * another of a segment through memory. Two share memory when their lifetimes (in segments) do not meet. What lives inside
 * an ONNX segment is onnxruntime's own affair.
 */
import { align } from '../ranges.ts';
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

/** Plans every value that a segment makes and does not keep inside, unless `bound` (a program output). */
export function planScratch(segments: readonly PlannedSegment[], bound: (value: Value) => boolean): ScratchPlan {
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
  const placed: { offset: number; bytes: number; first: number; last: number }[] = [];
  const offsets = new Map<Value, number>();
  for (const [value, { first, last }] of lives) {
    if (bound(value) || segments[first].inside.has(value)) continue;
    const bytes = valueBytes(value);
    const meeting = placed.filter((p) => p.first <= last && first <= p.last).sort((a, b) => a.offset - b.offset);
    let offset = 0;
    for (const p of meeting) {
      if (offset + bytes <= p.offset) break;
      offset = Math.max(offset, p.offset + p.bytes);
    }
    placed.push({ offset, bytes, first, last });
    offsets.set(value, offset);
  }
  return { bytes: placed.reduce((max, p) => Math.max(max, p.offset + p.bytes), 0), offsets };
}
