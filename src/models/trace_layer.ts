/**
 * Traces of what the precision of training is about: blocks and experts. A squared ReLU (`mul` of a `relu` by itself) leaves
 * the range of f16 at both ends, so a program with one in it multiplies in fp32 where f16 is asked for.
 */
import type { Value } from '../kernels/graph.ts';
import type { Program } from '../kernels/program.ts';
import { trace, type InputSpec, type Values } from '../kernels/trace.ts';
import type { ModelShape } from './model.ts';

/** As `trace`; products that name no precision have that of the shape. `fn` may be called twice. */
export function traceLayer<Names extends string>(
  name: string,
  specs: Readonly<Record<Names, InputSpec>>,
  fn: (inputs: Values<Names>) => Readonly<Record<string, Value>>,
  { precision }: Pick<ModelShape, 'precision'>,
): Program {
  const program = trace(name, specs, fn, { precision });
  return precision === 'f16' && squaresRelu(program) ? trace(name, specs, fn) : program;
}

function squaresRelu({ nodes }: Program): boolean {
  const unrectified = (value: Value): Value => {
    const node = value.graph.producer(value);
    return node?.op === 'relu' ? node.inputs[0] : value;
  };
  return nodes.some(({ op, inputs: [a, b] }) => {
    if (op !== 'mul' || unrectified(a) !== unrectified(b)) return false;
    return unrectified(a) !== a || unrectified(b) !== b;
  });
}
