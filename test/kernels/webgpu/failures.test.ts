/** What a user reads when a GPU fails: one line that names adapter, and what was asked. */
// @module-tag webgpu
import { expect, it, vi } from 'vitest';
import { add, f32, trace } from '../../../src/kernels/index.ts';
import { defineOp } from '../../../src/kernels/op.ts';
import { DeviceLost, FeatureMissing, ShaderRefused } from '../../../src/kernels/webgpu/errors.ts';
import { openDevice } from './kit.ts';

/** The GPUDevice below, to do to it what a driver would. */
const dawnsOf = (device: object): GPUDevice => Reflect.get(device, 'device') as GPUDevice;

const sum = trace('sum', { a: f32([8]), b: f32([8]) }, ({ a, b }) => ({ y: add(a, b) }));

it('says once that a device is lost, and again to whoever asks something of it', async () => {
  const onLost = vi.fn();
  const device = await openDevice({ onLost });
  const slice = device.slice('lost', 2 ** 16);
  const tensor = slice.tensor('t', 'f32', [4]);
  const pending = device.read(tensor);
  dawnsOf(device).destroy();
  await expect(pending).rejects.toThrow();
  await vi.waitFor(() => expect(onLost).toHaveBeenCalled());
  expect(onLost).toHaveBeenCalledTimes(1);
  expect(onLost.mock.calls[0]).toEqual([expect.any(DeviceLost)]);
  const words = new RegExp(`device of adapter .*${device.adapterName.slice(0, 4)}.* lost: `);
  expect(() => device.write(tensor, new Float32Array(4))).toThrow(words);
  await expect(device.read(tensor)).rejects.toThrow(words);
  await expect(device.compile(sum)).rejects.toThrow(words);
  await device.close();
});

it('is not told of a device that was closed', async () => {
  const onLost = vi.fn();
  const device = await openDevice({ onLost });
  await device.close();
  await device.close();
  expect(onLost).not.toHaveBeenCalled();
});

const broken = defineOp<undefined>({
  name: 'broken',
  infer: ([x]) => [x],
  reference: () => undefined,
  wgsl: (lowering, [x], [y]) =>
    lowering.each({ label: 'broken', reads: { x }, writes: { y }, over: x.type.shape, body: 'y[i] = x[i] +;' }),
});

it('names shader, program and reason in one line when Dawn takes no shader, and works on', async () => {
  const device = await openDevice();
  const program = trace('strange', { x: f32([4]) }, ({ x }) => ({ y: broken([x], undefined)[0] }));
  const refusal = device.compile(program);
  await expect(refusal).rejects.toThrow(ShaderRefused);
  await expect(refusal).rejects.toThrow(/^webgpu: .+ refuses shader broken of program strange: [^\n]+$/);
  await expect(device.compile(sum)).resolves.toBeDefined();
  await device.close();
});

const featured = defineOp<undefined>({
  name: 'featured',
  infer: ([x]) => [x],
  reference: () => undefined,
  wgsl: (lowering) => lowering.need('bgra8unorm-storage', 'featured'),
});

it('names the feature that a program needs and the adapter lacks', async () => {
  const device = await openDevice();
  const program = trace('demanding', { x: f32([4]) }, ({ x }) => ({ y: featured([x], undefined)[0] }));
  await expect(device.compile(program)).rejects.toThrow(FeatureMissing);
  await expect(device.compile(program)).rejects.toThrow('featured needs the feature bgra8unorm-storage');
  await device.close();
});
