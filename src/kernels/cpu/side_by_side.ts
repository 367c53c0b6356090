/**
 * Several copies of a program as one, each with tensors and dynamic dimensions of its own: what many small experts have to
 * run is then one run of the device, whose price does not grow with their number.
 */
import { Graph, type Value } from '../graph.ts';
import { extract, type Binding, type Program } from '../program.ts';
import { dynamic, type Dim } from '../shape.ts';

/** What copy `i` calls an input, an output or a dimension named `name`. */
export const nameBeside = (name: string, i: number): string => `${name}.${i}`;

/**
 * `count` copies of `program`, in the same bits as apart. Dynamic dimensions have a maximum of `most` at most, since the
 * intermediates of all copies are kept at once.
 */
export function sideBySide(program: Program, count: number, most: number): Program {
  const graph = new Graph();
  const copies = Array.from({ length: count }, (_, i) => copyOf(program, graph, i, most));
  return extract(
    `${program.name}.beside_${count}`,
    copies.flatMap(({ inputs }) => inputs),
    copies.flatMap(({ outputs }) => outputs),
    graph.nodes.filter(({ writes }) => writes.length > 0),
  );
}

function copyOf(program: Program, graph: Graph, i: number, most: number): Pick<Program, 'inputs' | 'outputs'> {
  const values = new Map<Value, Value>();
  const own = (dim: Dim): Dim =>
    typeof dim === 'number' ? dim : dynamic(nameBeside(dim.name, i), Math.min(dim.max, most));
  const inputs = program.inputs.map(({ name, role, value }): Binding => {
    const copy = graph.value({ dtype: value.type.dtype, shape: value.type.shape.map(own) });
    values.set(value, copy);
    return { name: nameBeside(name, i), role, value: copy };
  });
  for (const node of program.nodes) {
    const outputs = node.again(
      node.inputs.map((value) => values.get(value)!),
      (attributes) => withDims(attributes, own),
    );
    node.outputs.forEach((value, at) => values.set(value, outputs[at]));
  }
  const outputs = program.outputs.map(({ name, value }) => ({ name: nameBeside(name, i), value: values.get(value)! }));
  return { inputs, outputs };
}

/** Attributes with `own` of every dynamic dimension in them. */
function withDims(attributes: unknown, own: (dim: Dim) => Dim): unknown {
  if (Array.isArray(attributes)) return attributes.map((each) => withDims(each, own));
  if (typeof attributes !== 'object' || attributes === null) return attributes;
  if (isDynamic(attributes)) return own(attributes);
  return Object.fromEntries(Object.entries(attributes).map(([key, value]) => [key, withDims(value, own)]));
}

const isDynamic = (x: object): x is Exclude<Dim, number> => 'name' in x && 'max' in x;
