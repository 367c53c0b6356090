/** What generated code would not notice: tensors and live sizes that a program was not compiled for are refused first. */
import { afterAll, expect, it } from 'vitest';
import {
  combine,
  CpuDevice,
  dynamic,
  f32,
  i32,
  ProgramError,
  relu,
  ShapeError,
  trace,
  vjp,
} from '../../src/kernels/index.ts';
import { partition } from '../../src/kernels/cpu/partition.ts';
import { inputsOf, onDevice } from './kit.ts';

const device = new CpuDevice({ bytes: 2 ** 24 });
afterAll(() => device.close());
const slice = device.slice('test', 2 ** 22);

const program = trace('chain', { x: f32([dynamic('rows', 64), 16]) }, ({ x }) => ({ y: relu(x) }));
const tensor = (rows: number) => slice.tensor('t', 'f32', [rows, 16]);

it.each([
  ['more rows than planned', 64, 64, { rows: 65 }, 'dimension rows is 65, at most 64'],
  ['no live size', 64, 64, {}, 'no live size given for dimension rows'],
  ['an input that is too small', 2, 64, { rows: 5 }, 'x has 32 elements, needs 80'],
  ['an output that is too small', 64, 2, { rows: 5 }, 'y has 32 elements, needs 80'],
])('refuses %s', async (_, from, to, live, message) => {
  const executable = await device.compile(program);
  const guard = tensor(64);
  const bindings = { x: tensor(from), y: tensor(to) };
  const behind = tensor(64);
  for (const each of [guard, behind]) device.write(each, new Float32Array(64 * 16).fill(7));
  await expect(executable.run(bindings, live)).rejects.toThrow(message);
  for (const each of [guard, behind]) expect(new Set(await device.read(each))).toEqual(new Set([7]));
});

it('refuses a tensor of another element type', async () => {
  const executable = await device.compile(program);
  const bindings = { x: tensor(64), y: slice.tensor('y', 'i32', [64, 16]) };
  await expect(executable.run(bindings, { rows: 2 })).rejects.toThrow(ProgramError);
  await expect(executable.run(bindings, { rows: 2 })).rejects.toThrow('y is i32, needs f32');
});

it('refuses slots beyond the rows, on the way back too', async () => {
  const { forward, backward } = vjp(
    trace('combine', { rows: f32([3, 16]), gates: f32([4, 2]), slots: i32([4, 2]) }, ({ rows, gates, slots }) => ({
      y: combine(rows, gates, slots),
    })),
  );
  for (const each of [forward, backward]) {
    const inputs = inputsOf(each, { slots: (i) => (i === 5 ? 3 : i % 3) });
    await expect(onDevice(device)(each, inputs, {})).rejects.toThrow(ShapeError);
    await expect(onDevice(device)(each, inputs, {})).rejects.toThrow('slot 3 of token 2 is outside of 3 rows');
  }
});

it('refuses a program that waits for what it does not make', () => {
  const late = trace('late', { x: f32([4]) }, ({ x }) => {
    const unread = relu(x);
    return { y: x.graph.after([unread], () => relu(x)) };
  });
  expect(() => partition(late, () => 'host')).toThrow('late: relu waits for a value that nothing in the program makes');
});
