/**
 * Makes the segments of a partition runnable: an ONNX segment becomes a session and the lists of values it reads and
 * writes, a host segment stays a list of nodes.
 */
import type { Node, Value } from '../graph.ts';
import type { Program } from '../program.ts';
import { ProgramError } from '../errors.ts';
import { OnnxGraph } from './onnx_graph.ts';
import type { Segment } from './partition.ts';
import { createSession, type Session } from './session.ts';

export interface OnnxSegment {
  readonly kind: 'onnx';
  readonly session: Session;
  readonly inputs: readonly { readonly name: string; readonly value: Value }[];
  readonly outputs: readonly { readonly name: string; readonly value: Value }[];
}
export interface HostSegment {
  readonly kind: 'host';
  readonly nodes: readonly Node[];
}
export type RunnableSegment = OnnxSegment | HostSegment;

/** Can onnxruntime run this node within the numbers contract? */
export function lowersToOnnx(node: Node): boolean {
  return (
    node.onnx !== null &&
    node.onnx(
      new OnnxGraph('probe'),
      node.inputs.map((v) => `v${v.id}`),
    ) !== null
  );
}

export async function makeRunnable(program: Program, segments: readonly Segment[]): Promise<RunnableSegment[]> {
  const runnable: RunnableSegment[] = [];
  for (const [at, segment] of segments.entries()) {
    if (segment.kind === 'host') runnable.push({ kind: 'host', nodes: segment.nodes });
    else runnable.push(await onnxSegment(program, segment, readLater(program, segments.slice(at + 1))));
  }
  return runnable;
}

/** Values that a later segment or the caller reads. */
function readLater(program: Program, later: readonly Segment[]): ReadonlySet<Value> {
  return new Set([
    ...program.outputs.map((b) => b.value),
    ...later.flatMap((segment) => segment.nodes.flatMap((node) => node.inputs)),
  ]);
}

async function onnxSegment(program: Program, segment: Segment, later: ReadonlySet<Value>): Promise<OnnxSegment> {
  const graph = new OnnxGraph();
  const names = new Map<Value, string>();
  const made = new Set(segment.nodes.flatMap((node) => node.outputs));
  const read = new Set(segment.nodes.flatMap((node) => node.inputs).filter((v) => !made.has(v)));
  const inputs = [...read].map((value) => ({ name: `v${value.id}`, value }));
  inputs.forEach(({ name, value }) => names.set(value, name));
  for (const node of segment.nodes) {
    const outputs =
      node.onnx?.(
        graph,
        node.inputs.map((v) => names.get(v)!),
      ) ?? null;
    if (outputs === null) throw new ProgramError(program.name, `${node.op} has no ONNX lowering`);
    node.outputs.forEach((value, i) => names.set(value, outputs[i]));
  }
  // A graph output is never an input, and never the same name twice.
  const taken = new Set(inputs.map(({ name }) => name));
  const outputs = [...made]
    .filter((value) => later.has(value))
    .map((value) => {
      const made = names.get(value)!;
      const name = taken.has(made) ? graph.one('Identity', [made]) : made;
      taken.add(name);
      return { name, value };
    });
  const typed = (list: typeof inputs) => list.map(({ name, value }) => ({ name, type: value.type }));
  const session = await createSession(graph.model(program.name, typed(inputs), typed(outputs)));
  return { kind: 'onnx', session, inputs, outputs };
}
