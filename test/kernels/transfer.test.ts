/** Host data into tensors and back: where it goes, and what is not copied. */
import { afterAll, expect, it, vi } from 'vitest';
import { CpuDevice, ProgramError } from '../../src/kernels/index.ts';
import { DryDevice } from '../../src/kernels/cpu/dry_device.ts';

const device = new CpuDevice({ bytes: 2 ** 20 });
afterAll(() => device.close());
const slice = device.slice('test', 2 ** 20);

it('writes from the first element, or from the one that is named', async () => {
  const tensor = slice.tensor('x', 'f32', [2, 3]);
  device.write(tensor, Float32Array.of(1, 2, 3, 4));
  device.write(tensor, Float32Array.of(7, 8), 3);
  expect([...(await device.read(tensor))]).toEqual([1, 2, 3, 7, 8, 0]);
  expect([...(await device.read(tensor, 2))]).toEqual([1, 2]);
});

it('refuses what does not fit behind that element', async () => {
  const tensor = slice.tensor('x', 'i32', [4]);
  expect(() => device.write(tensor, Int32Array.of(1, 2), 3)).toThrow(RangeError);
  expect([...(await device.read(tensor))]).toEqual([0, 0, 0, 0]);
});

it('reads views of its memory, and does not copy them to where they are', async () => {
  const tensor = slice.tensor('x', 'f32', [4]);
  device.write(tensor, Float32Array.of(1, 2, 3, 4));
  const view = await device.read(tensor);
  view[1] = 9;
  const copies = vi.spyOn(Float32Array.prototype, 'set');
  device.write(tensor, view);
  device.write(tensor, view.subarray(2), 2);
  expect(copies).not.toHaveBeenCalled();
  device.write(tensor, view.subarray(2), 0);
  expect(copies).toHaveBeenCalledOnce();
  copies.mockRestore();
  expect([...(await device.read(tensor))]).toEqual([3, 4, 3, 4]);
});

it('refuses tensors of another device', () => {
  const elsewhere = new DryDevice().slice('test', 64).tensor('x', 'f32', [4]);
  expect(() => device.write(elsewhere, new Float32Array(4))).toThrow(ProgramError);
});
