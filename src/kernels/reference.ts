/**
 * Runs a program by the plain reference of each op, in order, on fresh memory. It defines what every device must
 * compute, and is the way to test one.
 */
import { allocate, type Data } from './dtype.ts';
import { ProgramError } from './errors.ts';
import type { Value } from './graph.ts';
import type { Operand } from './type.ts';
import type { Program } from './program.ts';
import { elements, resolve, type LiveSizes } from './shape.ts';

/** Outputs by name. State inputs are updated in place in `inputs`. Throws `ProgramError` when an input is missing. */
export function runReference(
  program: Program,
  inputs: Readonly<Record<string, Data>>,
  live: LiveSizes = {},
): Record<string, Data> {
  const operands = new Map<Value, Operand>();
  for (const { name, value } of program.inputs) {
    const shape = resolve(value.type.shape, live);
    const data = inputs[name];
    if (data === undefined) throw new ProgramError(program.name, `input ${name} is missing`);
    if (data.length < elements(shape)) {
      throw new ProgramError(program.name, `input ${name} has ${data.length} elements, needs ${elements(shape)}`);
    }
    operands.set(value, { data: data.length === elements(shape) ? data : data.subarray(0, elements(shape)), shape });
  }
  const operand = (value: Value): Operand => operands.get(value)!;
  for (const node of program.nodes) {
    const outputs = node.outputs.map(({ type }): Operand => {
      const shape = resolve(type.shape, live);
      return { data: allocate(type.dtype, elements(shape)), shape };
    });
    node.outputs.forEach((value, i) => operands.set(value, outputs[i]));
    node.reference(node.inputs.map(operand), outputs);
  }
  return Object.fromEntries(program.outputs.map(({ name, value }) => [name, operand(value).data]));
}
