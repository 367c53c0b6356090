/** What the WebGPU device promises beside numbers: order, budgets, refusals in words, and bits that come again. */
// @module-tag webgpu
import { afterAll, describe, expect, it } from 'vitest';
import {
  accumulate,
  add,
  dynamic,
  f32,
  gatherRows,
  i32,
  linearCrossEntropy,
  matmul,
  OutOfSliceMemory,
  reduceSum,
  relu,
  reshape,
  rmsNorm,
  state,
  toBf16,
  trace,
  vjp,
  weight,
  type Bindings,
  type Device,
  type Program,
  type Slice,
  type Value,
} from '../../../src/kernels/index.ts';
import { openAdapter } from '../../../src/kernels/webgpu/adapters.ts';
import { LimitExceeded, NoAdapter } from '../../../src/kernels/webgpu/errors.ts';
import { bytesOf, inputsOf } from '../kit.ts';
import { openDevice } from './kit.ts';

const device = await openDevice();
afterAll(() => device.close());

function tensorsOf(slice: Slice, { inputs, outputs }: Program): Bindings {
  return Object.fromEntries(
    [...inputs, ...outputs].map(({ name, value: { type } }) => [
      name,
      slice.tensor(
        name,
        type.dtype,
        type.shape.map((dim) => (typeof dim === 'number' ? dim : dim.max)),
      ),
    ]),
  );
}

const sum = trace('sum', { a: f32([8]), b: f32([8]) }, ({ a, b }) => ({ y: add(a, b) }));

it('runs, writes and reads in the order in which they are asked for', async () => {
  const slice = device.slice('order', 2 ** 20);
  const tensors = tensorsOf(slice, sum);
  const executable = await device.compile(sum);
  const reads = [];
  for (const n of [1, 2, 3]) {
    device.write(tensors.a, new Float32Array(8).fill(n));
    void executable.run(tensors);
    reads.push(device.read(tensors.y, 1));
    device.write(tensors.a, new Float32Array(8).fill(100));
    await Promise.resolve();
  }
  expect((await Promise.all(reads)).map(([first]) => first)).toEqual([1, 2, 3]);
  slice.release();
});

it('writes at an element, and reads nothing when nothing is asked for', async () => {
  const slice = device.slice('at', 2 ** 20);
  const tensor = slice.tensor('t', 'f32', [8]);
  device.write(tensor, Float32Array.of(7, 8), 3);
  expect([...(await device.read(tensor))]).toEqual([0, 0, 0, 7, 8, 0, 0, 0]);
  expect(await device.read(tensor, 0)).toHaveLength(0);
  expect(() => device.write(tensor, new Float32Array(2), 7)).toThrow('2 elements from 7 on do not fit 8');
  slice.release();
});

it('copies ranges between tensors, in order with runs, and refuses what no queue can do', async () => {
  const slice = device.slice('copies', 2 ** 20);
  const tensors = tensorsOf(slice, sum);
  const target = slice.tensor('target', 'f32', [10]);
  const executable = await device.compile(sum);
  device.write(tensors.a, Float32Array.from([1, 2, 3, 4, 5, 6, 7, 8]));
  device.write(tensors.b, new Float32Array(8).fill(10));
  void executable.run(tensors);
  device.copy([
    { from: { tensor: tensors.y, at: 2 }, to: { tensor: target, at: 1 }, length: 3 },
    { from: { tensor: tensors.y, at: 0 }, to: { tensor: target, at: 8 }, length: 2 },
  ]);
  device.write(tensors.a, new Float32Array(8));
  void executable.run(tensors);
  expect([...(await device.read(target))]).toEqual([0, 13, 14, 15, 0, 0, 0, 0, 11, 12]);
  expect([...(await device.read(target, 2, 8))]).toEqual([11, 12]);
  const copy = (to: typeof target, at: number) => () =>
    device.copy([{ from: { tensor: target, at: 0 }, to: { tensor: to, at }, length: 4 }]);
  expect(copy(tensors.a, 5)).toThrow('4 elements from 5 on do not fit 8');
  expect(copy(slice.tensor('half', 'bf16', [8]), 0)).toThrow('f32 into bf16');
  expect(copy(target, 4)).toThrow('both ranges are in one buffer of the device');
  // None of it has harmed the device.
  expect([...(await device.read(target, 1))]).toEqual([0]);
  slice.release();
});

it('reads halves that begin inside of a word', async () => {
  const slice = device.slice('inside', 2 ** 20);
  const tensor = slice.tensor('t', 'bf16', [6]);
  device.write(tensor, Uint16Array.of(1, 2, 3, 4, 5, 6));
  expect([...(await device.read(tensor, 2, 3))]).toEqual([4, 5]);
  expect([...(await device.read(tensor, 3, 1))]).toEqual([2, 3, 4]);
  slice.release();
});

it('keeps scratch as it was when there is no room for more', async () => {
  const small = await openDevice({ bytes: 2 ** 18 });
  const slice = small.slice('scratch', 2 ** 18);
  const chain = (size: number) =>
    trace(`scratch ${size}`, { x: f32([size]) }, ({ x }) => ({ y: reduceSum(matmulOf(x, size), [-1]) }));
  const [fits, tooLarge] = [chain(64), chain(4096)];
  const executable = await small.compile(fits);
  await expect(small.compile(tooLarge)).rejects.toThrow(OutOfSliceMemory);
  const tensors = tensorsOf(slice, fits);
  small.write(tensors.x, new Float32Array(64).fill(1));
  await executable.run(tensors);
  expect([...(await small.read(tensors.y, 2))]).toEqual([64, 64]);
  await small.close();
});

/** x xᵀ. */
const matmulOf = (x: Value, size: number): Value => matmul(reshape(x, [size, 1]), reshape(x, [1, size]));

it('writes the end of a tensor of halves that ends inside a word', async () => {
  const slice = device.slice('halves', 2 ** 20);
  const tensor = slice.tensor('t', 'bf16', [5]);
  device.write(tensor, Uint16Array.of(1, 2, 3, 4, 5));
  expect([...(await device.read(tensor))]).toEqual([1, 2, 3, 4, 5]);
  expect(() => device.write(tensor, Uint16Array.of(9), 1)).toThrow('does not begin a word');
  slice.release();
});

it('refuses by budget, in the name of the owner, before Dawn does', () => {
  const slice = device.slice('expert-3', 1000);
  slice.tensor('small', 'f32', [100]);
  expect(() => slice.tensor('large', 'f32', [200])).toThrow(OutOfSliceMemory);
  expect(() => slice.tensor('large', 'f32', [200])).toThrow(/expert-3: no room for large/);
  slice.release();
  expect(slice.usedBytes).toBe(0);
});

it('refuses what the adapter cannot hold, naming limit, asked and available', async () => {
  const { adapter } = await openAdapter('0');
  const elements = adapter.limits.maxStorageBufferBindingSize / 4 + 64;
  const large = await openDevice({ bytes: 2 ** 50 });
  const slice = large.slice('stage-0', 2 ** 50);
  expect(() => slice.tensor('embedding', 'f32', [elements])).toThrow(LimitExceeded);
  expect(() => slice.tensor('embedding', 'f32', [elements])).toThrow(
    new RegExp(`stage-0: embedding needs max\\w+ ${elements * 4}, adapter .+ has ${elements * 4 - 256}`),
  );
  await large.close();
});

it('names the adapters that there are when none is as asked', async () => {
  await expect(openAdapter('no such GPU')).rejects.toThrow(NoAdapter);
  await expect(openAdapter('no such GPU')).rejects.toThrow(/no adapter 'no such GPU'; there is 0: /);
  await expect(openAdapter('99')).rejects.toThrow(/no adapter '99'/);
});

describe('operands that the reference refuses', () => {
  it('make the next read fail, in the name of the program, and none after it', async () => {
    const picks = trace('picks', { x: f32([4, 4]), index: i32([2]) }, ({ x, index }) => ({ y: gatherRows(x, index) }));
    const slice = device.slice('refused', 2 ** 20);
    const tensors = tensorsOf(slice, picks);
    const executable = await device.compile(picks);
    device.write(tensors.index, Int32Array.of(1, 4));
    await executable.run(tensors);
    await expect(device.read(tensors.y)).rejects.toThrow(/program picks: an index or a target is outside/);
    device.write(tensors.index, Int32Array.of(1, 3));
    await executable.run(tensors);
    expect(await device.read(tensors.y)).toHaveLength(8);
    slice.release();
  });
});

/** A layer, its norm, and its loss, over a live number of rows. */
const rows = dynamic('rows', 40);
const layer = vjp(
  trace('layer', { x: f32([rows, 32]), norm: weight([32]), w: weight([32, 48]) }, ({ x, norm, w }) => ({
    y: relu(matmul(rmsNorm(x, norm, 1e-6), w)),
  })),
);
const head = vjp(
  trace('head', { x: f32([24, 32]), w: weight([48, 32]), targets: i32([24]) }, ({ x, w, targets }) => ({
    losses: linearCrossEntropy(x, w, targets),
  })),
);

async function bitsOf(on: Device, { forward, backward }: typeof layer, live: Readonly<Record<string, number>>) {
  const slice = on.slice('bits', 2 ** 22);
  const tensors = { ...tensorsOf(slice, backward), ...tensorsOf(slice, forward) };
  const inputs = { ...inputsOf(backward), ...inputsOf(forward) };
  for (const { name } of [...forward.inputs, ...backward.inputs]) on.write(tensors[name], inputs[name]);
  for (const program of [forward, backward]) await (await on.compile(program)).run(tensors, live);
  const names = [...forward.outputs, ...backward.outputs].map(({ name }) => name);
  const bits = await Promise.all(names.map(async (name) => bytesOf(await on.read(tensors[name])).toString('base64')));
  slice.release();
  return bits.join();
}

it('gives the same bits run after run, and on a second device of the adapter', async () => {
  const second = await openDevice();
  for (const [program, live] of [
    [layer, { rows: 23 }],
    [head, {}],
  ] as const) {
    const first = await bitsOf(device, program, live);
    expect(await bitsOf(device, program, live)).toBe(first);
    expect(await bitsOf(second, program, live)).toBe(first);
  }
  await second.close();
});

it('reaches elements beyond the workgroups that fit one side of a grid', async () => {
  // Four elements an invocation, 64 invocations a workgroup, 65,535 workgroups along x.
  const length = 4 * 64 * 65_535 + 4 * 64 * 3;
  const double = trace('double', { x: f32([length]) }, ({ x }) => ({ y: add(x, x) }));
  const slice = device.slice('large', 2 ** 28);
  const tensors = tensorsOf(slice, double);
  device.write(tensors.x, Float32Array.of(1, 2, 3), length - 3);
  await (await device.compile(double)).run(tensors);
  const y = await device.read(tensors.y);
  expect([...y.subarray(-4)]).toEqual([0, 2, 4, 6]);
  slice.release();
});

it('keeps buffers and bytes constant over a thousand steps', async () => {
  const own = await openDevice();
  const step = trace('step', { x: f32([rows, 16]), w: weight([16, 16]), total: state([16, 16]) }, ({ x, w, total }) => {
    const y = matmul(x, w);
    accumulate(total, matmul(x, y, { transposeA: true }));
    return { y, packed: toBf16(y) };
  });
  const slice = own.slice('steps', 2 ** 20);
  const tensors = tensorsOf(slice, step);
  const executable = await own.compile(step);
  const once = async (live: number): Promise<void> => {
    await executable.run(tensors, { rows: live });
    await own.read(tensors.packed);
  };
  await once(40);
  const before = own.counts();
  for (let i = 0; i < 1000; i++) await once(1 + (i % 40));
  expect(own.counts()).toEqual(before);
  slice.release();
  expect(own.counts().usedBytes).toBe(executable.scratchBytes);
  await own.close();
  expect(own.counts()).toEqual({ buffers: 0, bindGroups: 0, usedBytes: 0 });
});
