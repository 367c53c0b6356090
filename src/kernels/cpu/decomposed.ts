/**
 * A program with those ops replaced that are better run as several: what decomposes is taken apart on a graph of its own,
 * and its nodes are put where the op stood.
 */
import type { Graph, Node, Value } from '../graph.ts';
import type { Program } from '../program.ts';

export function decomposed(program: Program): Program {
  const graph = program.nodes[0]?.outputs[0]?.graph ?? program.inputs[0]?.value.graph;
  const fork = graph?.fork();
  return { ...program, nodes: program.nodes.flatMap((node) => (fork === undefined ? [node] : partsOf(node, fork))) };
}

function partsOf(node: Node, fork: Graph): readonly Node[] {
  if (node.decompose === null) return [node];
  const standIns = node.inputs.map((value) => fork.value(value.type));
  const before = fork.nodes.length;
  const results = node.decompose(standIns);
  if (results === null) return [node];
  const outside = new Map<Value, Value>();
  standIns.forEach((value, i) => outside.set(value, node.inputs[i]));
  results.forEach((value, i) => outside.set(value, node.outputs[i]));
  const place = (value: Value): Value => outside.get(value) ?? value;
  return fork.nodes.slice(before).map((part) => ({
    ...part,
    inputs: part.inputs.map(place),
    outputs: part.outputs.map(place),
    after: part.after.map(place),
  }));
}
