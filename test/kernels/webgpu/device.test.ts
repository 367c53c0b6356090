/** What the WebGPU device promises beside numbers: budgets, refusals in words, and bits that come again. */
// @module-tag webgpu
import { afterAll, describe, expect, it } from 'vitest';
import {
  accumulate,
  add,
  attention,
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
  type Device,
  type Value,
} from '../../../src/kernels/index.ts';
import { openAdapter } from '../../../src/kernels/webgpu/adapters.ts';
import { LimitExceeded, NoAdapter } from '../../../src/kernels/webgpu/errors.ts';
import { bytesOf, inputsOf } from '../kit.ts';
import { openDevice, tensorsOf } from './kit.ts';

const device = await openDevice();
afterAll(() => device.close());

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

  it('throws where the keys of a query begin or end before the first or behind the last', async () => {
    const slice = device.slice('places', 2 ** 20);
    const x_BHTd = f32([1, 1, 3, 4]);
    const places = i32([1, 3]);
    const attends = trace('attends', { x_BHTd, begins: places, ends: places }, ({ x_BHTd: x, begins, ends }) => ({
      y: attention({ q: x, k: x, v: x, begins, ends }, { causal: true }),
    }));
    const executable = await device.compile(attends);
    const tensors = tensorsOf(slice, attends);
    for (const [begins, ends] of [
      [[0, 4, 2], 3],
      [[0, -1, 2], 3],
      [[0, 1, 2], 4],
      [[0, 1, 2], -1],
    ] as const) {
      device.write(tensors.begins, Int32Array.from(begins));
      device.write(tensors.ends, Int32Array.of(3, ends, 3));
      await executable.run(tensors);
      await expect(device.read(tensors.y)).rejects.toThrow(/attends: an index or a target is outside/);
    }
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
