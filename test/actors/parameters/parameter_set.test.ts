/** The squares of a gradient, by a device that shares its memory and by one that does not. */
import { afterAll, describe, expect, it, vi } from 'vitest';
import { sumOfSquares } from '../../../src/actors/parameters/gradient_norm.ts';
import { ParameterSet, type Gradient } from '../../../src/actors/parameters/parameter_set.ts';
import { CpuDevice } from '../../../src/kernels/cpu/device.ts';
import type { Device } from '../../../src/kernels/device.ts';
import { ones } from '../../../src/models/init.ts';
import type { Parameter } from '../../../src/models/parameter.ts';
import { unit } from '../../../src/runtime/testing/index.ts';
import { RemoteDevice } from '../../kernels/remote_device.ts';

const shapes = { whole: [64, 1024], 'a part and more': [5, 205], short: [7], long: [70_000], same: [1025] };
const parameters: readonly Parameter[] = Object.entries(shapes).map(([name, shape]) => ({
  name,
  shape,
  init: ones,
  decays: shape.length > 1,
  isHidden: false,
}));

const valuesOf = (name: string, length: number): Float32Array =>
  Float32Array.from({ length }, (_, i) => unit(name.length, i) - 0.5);

async function made(device: Device): Promise<{ set: ParameterSet; gradient: Gradient }> {
  const set = await ParameterSet.create(device, device.slice('test', 2 ** 25), parameters, 1);
  set.reserveGradients(1);
  const gradient = set.takeGradient();
  // What lies between tensors is nobody's.
  for (const { flat } of gradient.arenas) device.write(flat, new Float32Array(flat.shape[0]).fill(NaN));
  for (const { name } of parameters) {
    const tensor = gradient.views[name];
    device.write(tensor, valuesOf(name, tensor.bytes / 4));
  }
  return { set, gradient };
}

const near = new CpuDevice({ bytes: 2 ** 25 });
const far = new RemoteDevice({ bytes: 2 ** 25 });
afterAll(() => Promise.all([near.close(), far.close()]));

it('refuses a parameter that is used twice', async () => {
  const twice = [...parameters, { ...parameters[1], shape: [3, 3] }];
  const slice = near.slice('run/stage-p0-d0', 2 ** 25);
  await expect(ParameterSet.create(near, slice, twice, 1)).rejects.toMatchObject({
    tag: 'ParameterUsedTwice',
    message:
      'run/stage-p0-d0: two of its parameters are named a part and more, and gradients of shared parameters are not summed yet; give each use a name of its own',
  });
  expect(slice.usedBytes).toBe(0);
});

it('takes no gradient beyond those that were reserved, and the same memory again', async () => {
  const slice = near.slice('run/stage-p0-d0', 2 ** 25);
  const set = await ParameterSet.create(near, slice, parameters, 1);
  set.reserveGradients(2);
  const used = slice.usedBytes;
  const [first] = [set.takeGradient(), set.takeGradient()];
  expect(() => set.takeGradient()).toThrow(
    expect.objectContaining({
      tag: 'GradientsExhausted',
      message:
        'run/stage-p0-d0: all 2 gradients that were reserved are in use, and a run takes no more; please report this with the topology file',
    }),
  );
  set.giveGradient(first);
  expect(set.takeGradient()).toBe(first);
  expect(slice.usedBytes).toBe(used);
});

describe('the squares of a gradient', () => {
  it('are summed by the host where it shares the memory', async () => {
    const { set, gradient } = await made(near);
    const squares = await set.squares(gradient);
    expect(Object.keys(squares)).toEqual(Object.keys(shapes));
    for (const [name, sum] of Object.entries(squares))
      expect(sum).toBe(sumOfSquares(valuesOf(name, gradient.views[name].bytes / 4)));
  });

  it('are summed on the device where it does not, and a thousandth is read', async () => {
    const { set, gradient } = await made(far);
    const read = vi.spyOn(far, 'read');
    const squares = await set.squares(gradient);
    expect(read.mock.calls.map(([{ bytes }]) => bytes / 4)).toEqual([64, 2, 1, 69, 2]);
    read.mockRestore();
    for (const [name, sum] of Object.entries(squares)) {
      const expected = sumOfSquares(valuesOf(name, gradient.views[name].bytes / 4));
      expect(Math.abs(sum / expected - 1), name).toBeLessThan(1e-6);
    }
  });
});
