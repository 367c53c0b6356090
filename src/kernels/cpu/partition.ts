/**
 * Splits a program between onnxruntime, generated code and the plain reference. A segment is a maximal run of ready nodes
 * of one kind: staying with a kind as long as something of it is ready gives few, large segments. The order is a pure
 * function of the program. Throws `ProgramError` for a program that can never finish.
 */
import { ProgramError } from '../errors.ts';
import type { Program } from '../program.ts';
import type { Node, Value } from '../graph.ts';
import { ReadyNodes, type SegmentKind } from './ready_nodes.ts';

export interface Segment {
  readonly kind: SegmentKind;
  readonly nodes: readonly Node[];
}

/** A segment when it is known who reads what it makes. */
export interface PlannedSegment extends Segment {
  /** Values that it makes and that need no memory of ours. */
  readonly inside: ReadonlySet<Value>;
}

const turns: readonly SegmentKind[] = ['wasm', 'host', 'onnx'];

/** `kindOf` says of a node what runs it. */
export function partition(program: Program, kindOf: (node: Node) => SegmentKind): Segment[] {
  const ready = new ReadyNodes(program, kindOf);
  const segments: Segment[] = [];
  let idleTurns = 0;
  for (let turn = 0; ready.pending > 0; turn++) {
    const kind = turns[turn % turns.length];
    const nodes = ready.takeAll(kind);
    idleTurns = nodes.length > 0 ? 0 : idleTurns + 1;
    if (idleTurns === turns.length) {
      const { op } = ready.firstPending();
      throw new ProgramError(program.name, `${op} waits for a value that nothing in the program makes`);
    }
    if (nodes.length > 0) segments.push({ kind, nodes });
  }
  return segments;
}
