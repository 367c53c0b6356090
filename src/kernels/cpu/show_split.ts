/** A program split into segments, as text. */
import { show, type Program } from '../program.ts';
import type { PlannedSegment } from './partition.ts';

/** The program, and which of its ops run together by what. */
export function showSplit(program: Program, segments: readonly PlannedSegment[]): string {
  const parts = segments.map(
    ({ kind, nodes }, i) => `segment ${i}: ${kind}\n${show({ ...program, inputs: [], outputs: [], nodes })}`,
  );
  return [show(program), ...parts, ''].join('\n\n');
}
