/**
 * Splits a program between onnxruntime, generated code and the plain reference. A segment is a maximal run of ready nodes
 * of one kind: staying with a kind as long as something of it is ready gives few, large segments. The order is a pure
 * function of the program. Throws `ProgramError` for a program that can never finish.
 */
import { ProgramError } from '../errors.ts';
import type { Program } from '../program.ts';
import type { Node, Value } from '../graph.ts';

/** `host`: by the plain reference. */
export type SegmentKind = 'onnx' | 'wasm' | 'host';

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
  const kinds = new Map(program.nodes.map((node) => [node, kindOf(node)] as const));
  const made = new Set<Value>(program.inputs.map((b) => b.value));
  // State is written last: a writer waits for every node that comes before it in the program.
  const pending = new Set(program.nodes);
  const isReady = (node: Node): boolean =>
    [...node.inputs, ...node.after].every((v) => made.has(v)) &&
    (node.writes.length === 0 || [...pending].every((other) => other === node || other.writes.length > 0));

  const segments: Segment[] = [];
  let idleTurns = 0;
  for (let turn = 0; pending.size > 0; turn++) {
    const kind = turns[turn % turns.length];
    const nodes: Node[] = [];
    for (let progress = true; progress;) {
      progress = false;
      for (const node of pending) {
        if (kinds.get(node) !== kind || !isReady(node)) continue;
        nodes.push(node);
        pending.delete(node);
        node.outputs.forEach((v) => made.add(v));
        progress = true;
      }
    }
    idleTurns = nodes.length > 0 ? 0 : idleTurns + 1;
    if (idleTurns === turns.length) {
      const [{ op }] = pending;
      throw new ProgramError(program.name, `${op} waits for a value that nothing in the program makes`);
    }
    if (nodes.length > 0) segments.push({ kind, nodes });
  }
  return segments;
}
