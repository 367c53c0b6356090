/** Copies of a program as one: the bits that each has alone, whatever the others are given. */
import { afterAll, expect, it } from 'vitest';
import {
  bf16,
  CpuDevice,
  dynamic,
  f32,
  matmul,
  relu,
  reshape,
  trace,
  vjp,
  weight,
  type Program,
} from '../../src/kernels/index.ts';
import type { Data } from '../../src/kernels/dtype.ts';
import { fromBf16, toBf16 } from '../../src/kernels/ops/bf16_cast.ts';
import { nameBeside, sideBySide } from '../../src/kernels/cpu/side_by_side.ts';
import { inputsOf, onDevice } from './kit.ts';

const device = new CpuDevice({ bytes: 2 ** 26 });
afterAll(() => device.close());
const run = onDevice(device);

const rows = dynamic('rows', 32);
const expert = trace(
  'expert',
  { rows: bf16([rows, 16]), up: weight([32, 16]), down: weight([16, 32]) },
  ({ rows: x, up, down }) => {
    const hidden = relu(matmul(fromBf16(x), up, { transposeB: true }));
    // A shape among the attributes, with the dimension in it.
    const again = reshape(reshape(hidden, [rows, 2, 16]), [rows, 32]);
    return { y: toBf16(matmul(again, down, { transposeB: true })) };
  },
);

/** Inputs of copy `i`. */
const inputsFor = (program: Program, i: number): Record<string, Data> =>
  Object.fromEntries(
    Object.entries(inputsOf(program)).map(([name, data]) => [name, data.map((x) => (x * (i + 3)) / 4)]),
  );

it.each([[[5, 17, 32]], [[0, 1, 2]], [[0, 0, 0]], [[1, 1, 1]], [[32, 0, 1]]])(
  'has the bits of its copies alone, on %j rows',
  async (counts) => {
    const { forward, backwardInput, backwardWeight } = vjp(expert);
    for (const program of [forward, backwardInput, backwardWeight]) {
      const beside = sideBySide(program, counts.length, 32);
      const inputs: Record<string, Data> = {};
      const live: Record<string, number> = {};
      for (const [i, count] of counts.entries()) {
        for (const [name, data] of Object.entries(inputsFor(program, i))) inputs[nameBeside(name, i)] = data;
        live[nameBeside('rows', i)] = count;
      }
      const together = await run(beside, inputs, live);
      for (const [i, count] of counts.entries()) {
        const alone = await run(program, inputsFor(program, i), { rows: count });
        for (const { name } of program.outputs) expect(together[nameBeside(name, i)], name).toEqual(alone[name]);
      }
    }
  },
);

it('leaves the program as it was, and bounds the rows of its copies', () => {
  const before = [...expert.nodes];
  const beside = sideBySide(expert, 2, 20);
  expect(expert.nodes).toEqual(before);
  expect(beside.nodes).toHaveLength(2 * expert.nodes.length);
  expect(beside.inputs.map(({ name }) => name)).toEqual(['rows.0', 'up.0', 'down.0', 'rows.1', 'up.1', 'down.1']);
  expect(beside.outputs[1].value.type.shape).toEqual([dynamic('rows.1', 20), 16]);
  const twice = trace('wide', { x: f32([rows, 4]) }, ({ x }) => ({ y: relu(x) }));
  expect(sideBySide(twice, 3, 1000).inputs[2].value.type.shape).toEqual([dynamic('rows.2', 32), 4]);
});
