/** Copies of a program in one dispatch an op: the bits that each has alone, from banks and from buffers of their own. */
// @module-tag webgpu
import { afterAll, describe, expect, it } from 'vitest';
import {
  bf16,
  dynamic,
  f32,
  matmul,
  relu,
  silu,
  mul,
  trace,
  vjp,
  weight,
  type Bindings,
  type Program,
  type Slice,
} from '../../../src/kernels/index.ts';
import { allocate, type Data } from '../../../src/kernels/dtype.ts';
import { fromBf16, toBf16 } from '../../../src/kernels/ops/bf16_cast.ts';
import { elements, resolve } from '../../../src/kernels/shape.ts';
import { nameBeside, sideBySide } from '../../../src/kernels/side_by_side.ts';
import type { WebGpuDevice } from '../../../src/kernels/webgpu/device.ts';
import { cases } from '../cases.ts';
import { bytesOf, inputsOf, onDevice } from '../kit.ts';
import { openDevice } from './kit.ts';

const devices = {
  shared: await openDevice({ isSerial: false }),
  serial: await openDevice({ isSerial: true }),
  /** Of 128 MiB a buffer at most. */
  bare: await openDevice({ isSerial: true, isBare: true }),
};
afterAll(async () => {
  for (const device of Object.values(devices)) await device.close();
});

const rows = dynamic('rows', 32);
const relus = trace(
  'relu_expert',
  { rows: bf16([rows, 16]), up: weight([32, 16]), down: weight([16, 32]) },
  ({ rows: x, up, down }) => ({
    y: toBf16(matmul(relu(matmul(fromBf16(x), up, { transposeB: true })), down, { transposeB: true })),
  }),
);
const gated = trace(
  'gated_expert',
  { rows: f32([rows, 16]), w1: weight([24, 16]), w2: weight([16, 24]), w3: weight([24, 16]) },
  ({ rows: x, w1, w2, w3 }) => ({
    y: matmul(mul(silu(matmul(x, w1, { transposeB: true })), matmul(x, w3, { transposeB: true })), w2, {
      transposeB: true,
    }),
  }),
);

/** What copy `i` is given. */
const inputsFor = (program: Program, i: number): Record<string, Data> =>
  Object.fromEntries(
    Object.entries(inputsOf(program)).map(([name, data]) => [name, data.map((x) => (x * (i + 3)) / 4)]),
  );

/** Binds copies of `program` to tensors of `slices`, filled with what `inputsFor` says and garbage elsewhere. */
function bound(device: WebGpuDevice, program: Program, slices: readonly Slice[]): Bindings {
  const tensors = slices.map((slice, i) => {
    const inputs = inputsFor(program, i);
    return [...program.inputs, ...program.outputs].map(({ name, value: { type } }) => {
      const shape = type.shape.map((dim) => (typeof dim === 'number' ? dim : dim.max));
      const tensor = slice.tensor(name, type.dtype, shape);
      const garbage = type.dtype === 'f32' ? Number.NaN : 77;
      device.write(tensor, inputs[name] ?? allocate(type.dtype, elements(shape)).fill(garbage));
      return [nameBeside(name, i), tensor] as const;
    });
  });
  return Object.fromEntries(tensors.flat());
}

async function outputsOf(device: WebGpuDevice, program: Program, tensors: Bindings, counts: readonly number[]) {
  const live = Object.fromEntries(counts.map((count, i) => [nameBeside('rows', i), count]));
  const executable = await device.compile(sideBySide(program, counts.length, Infinity));
  const groupsBefore = device.counts().bindGroups;
  await executable.run(tensors, live);
  const dispatches = device.counts().bindGroups - groupsBefore;
  const outputs = await Promise.all(
    counts.map(async (count, i) => {
      const own = program.outputs.map(async ({ name, value: { type } }) => {
        const length = elements(resolve(type.shape, { rows: count }));
        return [name, await device.read(tensors[nameBeside(name, i)], length)] as const;
      });
      return Object.fromEntries(await Promise.all(own));
    }),
  );
  return { outputs, dispatches };
}

let banks = 0;
const bankSlices = (device: WebGpuDevice, count: number): Slice[] => {
  const bank = `bank ${banks++}`;
  return Array.from({ length: count }, (_, at) => device.slice(`expert ${at}`, 2 ** 24, { bank, count, at }));
};

/** Runs copies in banks and apart, and compares both with one after another. */
async function expectBitsOfAlone(device: WebGpuDevice, program: Program, counts: readonly number[]): Promise<void> {
  const alone = onDevice(device);
  const slices = bankSlices(device, counts.length);
  const { outputs, dispatches } = await outputsOf(device, program, bound(device, program, slices), counts);
  for (const [i, count] of counts.entries()) {
    const expected = await alone(program, inputsFor(program, i), { rows: count });
    for (const { name } of program.outputs) expect(bytesOf(outputs[i][name]), name).toEqual(bytesOf(expected[name]));
  }
  const apart = counts.map((_, at) => device.slice(`apart ${at}`, 2 ** 24));
  const others = await outputsOf(device, program, bound(device, program, apart), counts);
  expect(others.outputs).toEqual(outputs);
  expect(dispatches).toBeGreaterThan(0);
  // Without banks each copy is bound alone.
  expect(others.dispatches).toBe(dispatches * counts.length);
  [...slices, ...apart].forEach((slice) => slice.release());
}

describe('copies', () => {
  it.each([
    ['a ReLU expert', relus, [5, 17, 32]],
    ['a ReLU expert', relus, [0, 1, 2]],
    ['a ReLU expert', relus, [0, 0, 0]],
    ['a gated expert', gated, [32, 0, 7]],
  ])('of %s have the bits that each has alone, forward and back (%#)', async (_name, expert, counts) => {
    const { forward, backwardInput, backwardWeight } = vjp(expert);
    for (const program of [forward, backwardInput, backwardWeight]) {
      await expectBitsOfAlone(devices.serial, program, counts);
    }
  });

  it('have them with shared memory, too', () => expectBitsOfAlone(devices.shared, vjp(relus).forward, [5, 17, 32]));

  it('run one after another where scratch for all of them is more than the adapter binds', async () => {
    const wide = trace(
      'wide_expert',
      { rows: f32([dynamic('rows', 2048), 4]), up: weight([4, 4096]), down: weight([4096, 4]) },
      ({ rows: x, up, down }) => ({ y: matmul(relu(matmul(x, up)), down) }),
    );
    const device = devices.bare;
    const counts = [2, 0, 1, 3, 2];
    const slices = bankSlices(device, counts.length);
    const { outputs, dispatches } = await outputsOf(device, wide, bound(device, wide, slices), counts);
    expect(dispatches).toBe(counts.length * 3);
    for (const [i, count] of counts.entries()) {
      const { y } = await onDevice(device)(wide, inputsFor(wide, i), { rows: count });
      expect(bytesOf(outputs[i].y)).toEqual(bytesOf(y));
    }
    slices.forEach((slice) => slice.release());
  });
});

it('writes nothing for a copy without rows, whose part may be smaller than a tile', async () => {
  const device = devices.serial;
  const few = trace(
    'few_rows',
    { x: f32([dynamic('rows', 4), 8]), up: weight([8, 8]), down: weight([8, 8]) },
    ({ x, up, down }) => ({ y: matmul(relu(matmul(x, up)), down) }),
  );
  const counts = Array.from({ length: 16 }, (_, i) => (i % 2 === 0 ? 4 : 0));
  const slices = bankSlices(device, counts.length);
  const tensors = bound(device, few, slices);
  const expected = await Promise.all(
    counts.map((count, i) => onDevice(device)(few, inputsFor(few, i), { rows: count })),
  );
  for (let round = 0; round < 20; round++) {
    const { outputs } = await outputsOf(device, few, tensors, counts);
    expect(outputs.map(({ y }) => [...y])).toEqual(expected.map(({ y }) => [...y]));
  }
  // Rows of a copy that has none are as they were.
  expect([...(await device.read(tensors[nameBeside('y', 1)]))].every(Number.isNaN)).toBe(true);
  slices.forEach((slice) => slice.release());
});

it('runs copies one after another where scratch for all of them is more than the device has', async () => {
  const device = await openDevice({ isSerial: true, bytes: 2 ** 20 });
  const large = trace(
    'large_scratch',
    { x: f32([dynamic('rows', 256), 4]), up: weight([4, 128]), down: weight([128, 4]) },
    ({ x, up, down }) => ({ y: matmul(relu(matmul(x, up)), down) }),
  );
  const counts = [3, 0, 1, 2];
  const slices = bankSlices(device, counts.length);
  const { outputs, dispatches } = await outputsOf(device, large, bound(device, large, slices), counts);
  expect(dispatches).toBe(counts.length * 3);
  for (const [i, { y }] of outputs.entries()) expect(y).toHaveLength(counts[i] * 4);
  expect([...outputs[0].y].every(Number.isFinite)).toBe(true);
  slices.forEach((slice) => slice.release());
  await device.close();
});

const named = ['embedding', 'softmax', 'rmsNorm', 'concat', 'reduceSum, columns', 'selectiveScan', 'causalConv'];
const others = cases.filter(({ name }) => named.includes(name));

it.each(others)('$name has the bits of its copies alone, back where it calls functions of its own', async (each) => {
  const { name: op, build, fill } = each;
  const device = devices.shared;
  const { forward, backward } = vjp(build(dynamic('rows', 20)));
  for (const program of op === 'causalConv' ? [forward, backward] : [forward]) {
    const slices = bankSlices(device, 2);
    const tensors = bound(device, program, slices);
    const inputs = [0, 1].map((i) => {
      const own = inputsOf(program, fill);
      for (const [name, data] of Object.entries(own)) {
        if (data instanceof Float32Array) own[name] = data.map((x) => x * (i + 1));
        device.write(tensors[nameBeside(name, i)], own[name]);
      }
      return own;
    });
    const { outputs } = await outputsOf(device, program, tensors, [17, 3]);
    for (const [i, count] of [17, 3].entries()) {
      const expected = await onDevice(device)(program, inputs[i], { rows: count });
      for (const { name } of program.outputs) expect(bytesOf(outputs[i][name]), name).toEqual(bytesOf(expected[name]));
    }
    slices.forEach((slice) => slice.release());
  }
});
