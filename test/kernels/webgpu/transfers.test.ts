/** Transfers to, from and on the WebGPU device: in the order in which they are asked for, of any range that it can. */
// @module-tag webgpu
import { afterAll, expect, it } from 'vitest';
import { add, f32, trace } from '../../../src/kernels/index.ts';
import { openDevice, tensorsOf } from './kit.ts';

const device = await openDevice();
afterAll(() => device.close());

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

it('writes the end of a tensor of halves that ends inside a word', async () => {
  const slice = device.slice('halves', 2 ** 20);
  const tensor = slice.tensor('t', 'bf16', [5]);
  device.write(tensor, Uint16Array.of(1, 2, 3, 4, 5));
  expect([...(await device.read(tensor))]).toEqual([1, 2, 3, 4, 5]);
  expect(() => device.write(tensor, Uint16Array.of(9), 1)).toThrow('does not begin a word');
  slice.release();
});
