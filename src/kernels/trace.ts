/**
 * `trace` turns a plain function of values into a program. The function runs once, on symbols; what it calls is
 * recorded. Specs name the inputs and say how each lives: given anew (`f32`, `i32`, `bf16`), a `weight`, or `state`.
 */
import type { DType } from './dtype.ts';
import { Graph, type Value } from './graph.ts';
import { extract, type Binding, type Program, type Role } from './program.ts';
import type { Precision } from './precision.ts';
import type { Shape } from './shape.ts';

export interface InputSpec {
  readonly dtype: DType;
  readonly shape: Shape;
  readonly role: Role;
}

export const f32 = (shape: Shape): InputSpec => ({ dtype: 'f32', shape, role: 'input' });
export const i32 = (shape: Shape): InputSpec => ({ dtype: 'i32', shape, role: 'input' });
export const u32 = (shape: Shape): InputSpec => ({ dtype: 'u32', shape, role: 'input' });
export const bf16 = (shape: Shape): InputSpec => ({ dtype: 'bf16', shape, role: 'input' });
export const weight = (shape: Shape): InputSpec => ({ dtype: 'f32', shape, role: 'weight' });
export const state = (shape: Shape): InputSpec => ({ dtype: 'f32', shape, role: 'state' });

export type Values<Names extends string> = Readonly<Record<Names, Value>>;

export interface TraceOptions {
  /** Of products that name none; default f32. */
  readonly precision?: Precision;
}

/**
 * Records `fn` as a program named `name`, with one input for every spec and one output for every value it returns.
 * Throws `ProgramError`, `ShapeError` or `DTypeError` when the function does not make a valid program.
 */
export function trace<Names extends string>(
  name: string,
  specs: Readonly<Record<Names, InputSpec>>,
  fn: (inputs: Values<Names>) => Readonly<Record<string, Value>>,
  { precision }: TraceOptions = {},
): Program {
  const graph = new Graph(precision);
  const inputs: Binding[] = [];
  const values = {} as Record<Names, Value>;
  for (const key in specs) {
    const { dtype, shape, role } = specs[key];
    values[key] = graph.value({ dtype, shape });
    inputs.push({ name: key, role, value: values[key] });
  }
  const outputs = Object.entries(fn(values)).map(([key, value]) => ({ name: key, value }));
  return extract(
    name,
    inputs,
    outputs,
    graph.nodes.filter((node) => node.writes.length > 0),
  );
}
