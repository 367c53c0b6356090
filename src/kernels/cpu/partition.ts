/**
 * Splits a program between onnxruntime and the host. A segment is a maximal run of ready nodes of one kind: staying
 * with a kind as long as something of it is ready gives few, large segments. The order is a pure function of the
 * program.
 */
import type { Program } from '../program.ts';
import type { Node, Value } from '../graph.ts';

export interface Segment {
  readonly kind: 'onnx' | 'host';
  readonly nodes: readonly Node[];
}

/** `lowers` says of a node whether ONNX can run it. */
export function partition(program: Program, lowers: (node: Node) => boolean): Segment[] {
  const kinds = new Map(program.nodes.map((node) => [node, lowers(node) ? 'onnx' : 'host'] as const));
  const made = new Set<Value>(program.inputs.map((b) => b.value));
  // State is written last: a writer waits for every node that comes before it in the program.
  const pending = new Set(program.nodes);
  const isReady = (node: Node): boolean =>
    node.inputs.every((v) => made.has(v)) &&
    (node.writes.length === 0 || [...pending].every((other) => other === node || other.writes.length > 0));

  const segments: Segment[] = [];
  let kind: 'onnx' | 'host' = 'onnx';
  while (pending.size > 0) {
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
    if (nodes.length > 0) segments.push({ kind, nodes });
    kind = kind === 'onnx' ? 'host' : 'onnx';
  }
  return segments;
}
