/**
 * Generated code gives the bits of the plain reference: every op and every gradient that has a WASM lowering, at several
 * numbers of rows, with and without numbers that are none. What has one is listed, so that none is lost unnoticed.
 */
import { afterAll, describe, expect, it } from 'vitest';
import { CpuDevice, dynamic, vjp, type Program } from '../../src/kernels/index.ts';
import { tablesOf } from '../../src/kernels/cpu/wasm/lower.ts';
import type { Data } from '../../src/kernels/dtype.ts';
import { extract } from '../../src/kernels/program.ts';
import { runReference } from '../../src/kernels/reference.ts';
import type { Node, Value } from '../../src/kernels/graph.ts';
import { cases } from './cases.ts';
import { inputsOf, onDevice } from './kit.ts';

const device = new CpuDevice({ bytes: 2 ** 29 });
afterAll(() => device.close());

const lowered = new Set<string>();
const lowersToWasm = (node: Node): boolean => tablesOf(node) !== null;

/** The node alone, as a program of its operands; those that `program` is given keep their names, and so their fill. */
const alone = (node: Node, program: Program): Program => {
  const nameOf = (value: Value, i: number): string =>
    program.inputs.find((binding) => binding.value === value)?.name ?? `operand${i}`;
  const inputs = [...new Set(node.inputs)].map((value, i) => ({
    name: nameOf(value, i),
    role: 'input' as const,
    value,
  }));
  return extract(
    node.op,
    inputs,
    node.outputs.map((value, i) => ({ name: `y${i}`, value })),
  );
};

/** NaN is equal to NaN: which of them it is may differ. */
const bitsOf = (data: Data): readonly number[] =>
  data instanceof Float32Array
    ? Array.from(new Int32Array(data.buffer, data.byteOffset, data.length), (word, i) =>
        Number.isNaN(data[i]) ? 0x7fc00000 : word,
      )
    : [...data];

/** NaN as data from elsewhere may have it, with low bits set. */
const markedNaN = new Float32Array(Uint32Array.of(0x7fc00001, 0xffc001ff).buffer);
const odd = [NaN, Infinity, -Infinity, 0, -0, 1e-42, -1e-42, 3e38, -3e38];

describe.each(cases)('$name', ({ rows: kind, build, fill }) => {
  it.each([1, 2, 3, 17])('has the bits of its reference on %i rows', async (rows) => {
    const { forward, backward } = vjp(build(kind === 'dynamic' ? dynamic('rows', 20) : rows));
    const nodes = [...forward.nodes, ...backward.nodes].filter(
      (node) => node.writes.length === 0 && lowersToWasm(node),
    );
    for (const node of new Set(nodes)) {
      lowered.add(node.op);
      const program = alone(node, forward);
      const inputs = inputsOf(program, fill);
      await expectSameBits(program, inputs, rows);
      for (const data of Object.values(inputs)) {
        if (!(data instanceof Float32Array)) continue;
        odd.forEach((x, i) => (data[(i * 5) % data.length] = x));
        // Copied as bits: a number on its way through JavaScript may lose them.
        if (data.length > 60) new Uint32Array(data.buffer, data.byteOffset).set(new Uint32Array(markedNaN.buffer), 50);
      }
      await expectSameBits(program, inputs, rows);
    }
  });
});

/** Products of matrices, what is made around them, and what only moves elements between them. */
const onnx = [
  ['attention', 'attention_gradient', 'matmul'],
  ['linear_cross_entropy', 'linear_cross_entropy_gradient', 'linear_cross_entropy_statistics'],
  ['linear_kl', 'linear_kl_gradient', 'linear_kl_statistics'],
  ['broadcast_to', 'pad', 'reshape'],
  ['reduce_max', 'reduce_max_gradient'],
].flat();

it('there is code for every other op', () => {
  const left = new Set(
    cases.flatMap(({ build }) => {
      const { forward, backward } = vjp(build(16));
      return [...forward.nodes, ...backward.nodes].map((node) => node.op);
    }),
  );
  for (const op of [...lowered, ...onnx]) left.delete(op);
  expect([...left]).toEqual([]);
});

async function expectSameBits(program: Program, inputs: Record<string, Data>, rows: number): Promise<void> {
  const live = { rows };
  const actual = await onDevice(device)(program, inputs, live);
  const expected = runReference(program, inputs, live);
  for (const { name } of program.outputs)
    expect(bitsOf(actual[name]), `${program.name} ${name}`).toEqual(bitsOf(expected[name]));
}
