/**
 * Element-wise ops that go on with the result of a product before it leaves its registers: what only they read of it is
 * never stored.
 */
import type { Node, Value } from '../../graph.ts';
import type { Typed } from '../../type.ts';
import { Statements } from './arithmetic.ts';
import { computeChain, elementOf, loadOf, patternOf, storeOf } from './chain.ts';
import type { Epilogue } from './product.ts';

/** Can `node` be part of an epilogue of a product that makes `result`? */
export function continues({ formula, inputs, outputs }: Node, result: Value): boolean {
  const { shape } = result.type;
  const [{ type }] = outputs;
  // bf16 is stored by twos, and a product has one column at a time in some of its forms.
  if (formula === null || type.dtype !== 'f32' || patternOf(type.shape, shape) !== 'full') return false;
  return inputs.every((value) => patternOf(value.type.shape, shape) !== null);
}

/** `nodes`, of which each `continues`, after what makes `result`; `stored` are the values that others read. */
export function epilogueOf(result: Value, nodes: readonly Node[], stored: readonly Value[]): Epilogue {
  const { shape } = result.type;
  const made = new Set([result, ...nodes.flatMap((node) => node.outputs)]);
  const read = [...new Set(nodes.flatMap((node) => node.inputs))].filter((value) => !made.has(value));
  const names = new Map([
    ...read.map((value, i) => [value, `with${i}`] as const),
    ...stored.map((value, i) => [value, `out${i}`] as const),
  ]);
  const buffers = (values: readonly Value[]): Record<string, Typed> =>
    Object.fromEntries(values.map((value) => [names.get(value)!, value]));
  return {
    label: nodes.map(({ op }) => op).join(' + '),
    reads: buffers(read),
    writes: buffers(stored),
    elements: (lanes) =>
      Object.fromEntries([...names].map(([value, name]) => [name, elementOf(value.type, shape, lanes)])),
    text: (sum, index, lanes) => {
      const statements = new Statements();
      const results = computeChain(statements, lanes, nodes, (value) =>
        statements.let(value === result ? sum : loadOf(value.type, names.get(value)!, shape, lanes)),
      );
      for (const value of stored) {
        statements.add(storeOf(value.type, names.get(value)!, results.get(value) ?? sum, lanes));
      }
      return `{ let i = ${index};\n${statements.text} }`;
    },
  };
}
