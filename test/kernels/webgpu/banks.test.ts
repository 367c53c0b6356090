/** Slices whose tensors lie in banks: whose bytes they are, and when they are given back. */
// @module-tag webgpu
import { afterAll, expect, it } from 'vitest';
import type { Slice } from '../../../src/kernels/index.ts';
import { fromOrigins } from '../../../src/kernels/webgpu/wgsl/origins.ts';
import { openDevice } from './kit.ts';

const device = await openDevice({ bytes: 2 ** 20 });
afterAll(() => device.close());

const slicesOf = (bank: string, count: number, budget = 2 ** 18): Slice[] =>
  Array.from({ length: count }, (_, at) => device.slice(`${bank}, ${at}`, budget, { bank, count, at }));

it('keeps what each writes apart, and counts it as its own', async () => {
  const slices = slicesOf('apart', 3);
  const before = device.counts();
  const tensors = slices.map((slice) => slice.tensor('t', 'f32', [100]));
  expect(device.counts().buffers - before.buffers).toBe(1);
  tensors.forEach((tensor, i) => device.write(tensor, new Float32Array(100).fill(i + 1)));
  const read = await Promise.all(tensors.map((tensor) => device.read(tensor)));
  read.forEach((data, i) => expect(new Set(data)).toEqual(new Set([i + 1])));
  expect(slices.map(({ usedBytes }) => usedBytes)).toEqual([448, 448, 448]);
  slices.forEach((slice) => slice.release());
  expect(device.counts().usedBytes).toBe(before.usedBytes);
});

it('has a bank for each tensor of a name, in the order in which they are taken', () => {
  const slices = slicesOf('order', 2);
  const before = device.counts().buffers;
  for (const slice of slices) for (let i = 0; i < 3; i++) slice.tensor('gradients', 'f32', [8]);
  expect(device.counts().buffers - before).toBe(3);
  slices.forEach((slice) => slice.release());
});

it('gives zeros again to a slice that was released while its neighbours go on', async () => {
  const [first, second] = slicesOf('again', 2);
  const others = second.tensor('t', 'f32', [4]);
  device.write(first.tensor('t', 'f32', [4]), new Float32Array(4).fill(9));
  device.write(others, new Float32Array(4).fill(7));
  first.release();
  const again = device.slice('again, 0', 2 ** 18, { bank: 'again', count: 2, at: 0 });
  expect([...(await device.read(again.tensor('t', 'f32', [4])))]).toEqual([0, 0, 0, 0]);
  expect([...(await device.read(others))]).toEqual([7, 7, 7, 7]);
  again.release();
  second.release();
});

it('gives a tensor of another size a buffer of its own', async () => {
  const [first, second] = slicesOf('sizes', 2);
  first.tensor('t', 'f32', [4]);
  const long = second.tensor('t', 'f32', [400]);
  device.write(long, new Float32Array(400).fill(3));
  expect(new Set(await device.read(long))).toEqual(new Set([3]));
  first.release();
  second.release();
});

it('refuses what is beyond the budget of the slice, or beyond the device for all of them', () => {
  const [slice] = slicesOf('small', 2, 1000);
  expect(() => slice.tensor('t', 'f32', [300])).toThrow('small, 0: no room for t');
  const [greedy] = slicesOf('many', 8, 2 ** 19);
  expect(() => greedy.tensor('t', 'f32', [2 ** 16])).toThrow('many, 0: no room for t, for 8 slices');
});

it('counts indices from the origin of the copy, also those inside of others', () => {
  expect(fromOrigins('y[index[i]] = x[i * 4u + c] + tile_x[i];', ['x', 'y', 'index'])).toBe(
    'y[origin.y + u32(index[origin.index + u32(i)])] = x[origin.x + u32(i * 4u + c)] + tile_x[i];',
  );
});
