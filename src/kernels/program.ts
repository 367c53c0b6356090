/**
 * A program: named inputs, ops in order, named outputs. Static shapes but for named dynamic dimensions. It is what a
 * device compiles once and runs every step. State inputs are updated in place, by the last ops of the program only.
 */
import { ProgramError } from './errors.ts';
import type { Node, Value } from './graph.ts';
import type { Type } from './type.ts';
import { showShape } from './shape.ts';

/** `input`: given anew each run. `weight`: lives in a slice, read only. `state`: lives in a slice, updated in place. */
export type Role = 'input' | 'weight' | 'state';

export interface Binding {
  readonly name: string;
  readonly role: Role;
  readonly value: Value;
}

export interface Program {
  readonly name: string;
  readonly inputs: readonly Binding[];
  readonly outputs: readonly Omit<Binding, 'role'>[];
  readonly nodes: readonly Node[];
}

/**
 * The program that computes `outputs` from `inputs`: only the nodes needed for them, and every node that writes one of
 * the given state inputs. Throws `ProgramError` when an output depends on a value that no input provides, or when state
 * is read after it was written.
 */
export function extract(
  name: string,
  inputs: readonly Binding[],
  outputs: readonly Omit<Binding, 'role'>[],
  roots: readonly Node[] = [],
): Program {
  const given = new Set(inputs.map((binding) => binding.value));
  const needed = new Set<Node>();
  const visit = (value: Value): void => {
    if (given.has(value)) return;
    const node = value.graph.producer(value);
    if (node === undefined)
      throw new ProgramError(name, `depends on an input that it is not given (value ${value.id})`);
    if (needed.has(node)) return;
    needed.add(node);
    node.inputs.forEach(visit);
  };
  outputs.forEach((binding) => visit(binding.value));
  for (const node of roots) {
    needed.add(node);
    node.inputs.forEach(visit);
  }
  const graph = inputs[0]?.value.graph ?? outputs[0]?.value.graph;
  const nodes = (graph?.nodes ?? []).filter((node) => needed.has(node));
  const program = { name, inputs, outputs, nodes };
  checkState(program);
  return program;
}

function checkState({ name, inputs, nodes }: Program): void {
  const writable = new Set(inputs.filter((b) => b.role === 'state').map((b) => b.value));
  const written = new Set<Value>();
  for (const node of nodes) {
    for (const value of node.inputs) {
      if (written.has(value)) throw new ProgramError(name, `${node.op} reads state after it was written`);
    }
    for (const index of node.writes) {
      const value = node.inputs[index];
      if (!writable.has(value))
        throw new ProgramError(name, `${node.op} writes an input that is not declared as state`);
      written.add(value);
    }
  }
}

export function typeOf(program: Program, name: string): Type {
  const binding = program.inputs.find((b) => b.name === name) ?? program.outputs.find((b) => b.name === name);
  if (binding === undefined) throw new ProgramError(program.name, `has no input or output named ${name}`);
  return binding.value.type;
}

/** FLOPs of one run: those of its products of matrices, a multiply-add counted as two, dynamic dimensions at their maximum. */
export const flopsOf = ({ nodes }: Program): number => nodes.reduce((sum, { flops }) => sum + flops, 0);

/** The program as text, one op a line, for whoever debugs it. */
export function show(program: Program): string {
  const ref = (value: Value): string => `%${value.id}`;
  const typed = (value: Value): string => `${ref(value)}: ${value.type.dtype}${showShape(value.type.shape)}`;
  const lines = [
    `program ${program.name}`,
    ...program.inputs.map((b) => `  ${b.role} ${b.name} = ${typed(b.value)}`),
    ...program.nodes.map((n) => {
      const attributes = n.attributes === undefined ? '' : ` ${JSON.stringify(n.attributes)}`;
      return `  ${n.outputs.map(typed).join(', ')} = ${n.op}(${n.inputs.map(ref).join(', ')})${attributes}`;
    }),
    ...program.outputs.map((b) => `  output ${b.name} = ${ref(b.value)}`),
  ];
  return lines.join('\n');
}
