/** A program as the CPU device runs it: what runs each part, and where values that pass between parts lie. */
import type { Node, Value } from '../graph.ts';
import type { Program } from '../program.ts';
import { decomposed } from './decomposed.ts';
import { OnnxGraph } from './onnx_graph.ts';
import { partition, type PlannedSegment, type Segment } from './partition.ts';
import type { SegmentKind } from './ready_nodes.ts';
import { planScratch, type ScratchPlan } from './scratch.ts';
import type { Table } from '../table.ts';
import { tablesOf, valuesInside } from './wasm/lower.ts';

export interface PlannedProgram {
  readonly segments: readonly PlannedSegment[];
  readonly scratch: ScratchPlan;
  /** What its generated code reads beside values. */
  readonly tables: readonly Table[];
}

/**
 * Plans a program. Without WASM what could be generated code is run by onnxruntime or by the plain reference.
 */
export function planned(given: Program, hasWasm: boolean): PlannedProgram {
  const program = decomposed(given);
  const code = new Map(program.nodes.map((node) => [node, hasWasm ? tablesOf(node) : null]));
  const kindOf = (node: Node): SegmentKind => {
    if (code.get(node) !== null) return 'wasm';
    return lowersToOnnx(node) ? 'onnx' : 'host';
  };
  const parts = partition(program, kindOf);
  const lastReads = lastReadsOf(program, parts);
  const segments = parts.map((segment, at) => {
    const isReadLater = (value: Value): boolean => (lastReads.get(value) ?? -1) > at;
    return { ...segment, inside: insideOf(segment, isReadLater) };
  });
  const tables = [...code.values()].flatMap((read) => read ?? []);
  const bound = new Set([...program.inputs, ...program.outputs].map((b) => b.value));
  return { segments, scratch: planScratch(given.name, segments, (value) => bound.has(value)), tables };
}

/** Can onnxruntime run this node within the numbers contract? */
function lowersToOnnx(node: Node): boolean {
  const names = node.inputs.map((v) => `v${v.id}`);
  return node.onnx !== null && node.onnx(new OnnxGraph('probe'), names) !== null;
}

/** The last segment that reads each value, by number; the caller comes after all of them. */
function lastReadsOf(program: Program, parts: readonly Segment[]): ReadonlyMap<Value, number> {
  const last = new Map<Value, number>();
  parts.forEach(({ nodes }, at) => {
    for (const { inputs } of nodes) for (const value of inputs) last.set(value, at);
  });
  for (const { value } of program.outputs) last.set(value, parts.length);
  return last;
}

function insideOf({ kind, nodes }: Segment, isReadLater: (value: Value) => boolean): ReadonlySet<Value> {
  if (kind === 'wasm') return valuesInside(nodes, isReadLater);
  if (kind === 'host') return new Set();
  return new Set(nodes.flatMap((node) => node.outputs).filter((value) => !isReadLater(value)));
}
