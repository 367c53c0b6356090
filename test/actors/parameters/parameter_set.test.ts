/** The squares of a gradient, by a device that shares its memory and by one that does not. */
import { afterAll, describe, expect, it, vi } from 'vitest';
import type { FlatArena } from '../../../src/kernels/device.ts';
import { sumOfChunks } from '../../../src/actors/parameters/gradient_norm.ts';
import { chunkSquaresOf } from '../../../src/kernels/ops/chunk_squares.ts';
import type { Bucket } from '../../../src/actors/parameters/bucket.ts';
import { payload } from '../../../src/actors/protocol/pass.ts';
import { holdingsOf } from '../../../src/actors/parameters/holding.ts';
import { ParameterSet } from '../../../src/actors/parameters/parameter_set.ts';
import { CpuDevice } from '../../../src/kernels/cpu/device.ts';
import type { Bindings, Device } from '../../../src/kernels/device.ts';
import { ones } from '../../../src/models/init.ts';
import type { Parameter } from '../../../src/models/parameter.ts';
import { elements } from '../../../src/kernels/shape.ts';
import { unit } from '../../../src/runtime/testing/index.ts';
import { RemoteDevice } from '../../kernels/remote_device.ts';
import { smallTopology } from '../kit.ts';
import { partOf, partsOf } from '../state_parts.ts';

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

const { optimizer } = smallTopology();
const address = 'run/stage-p0-d0';
const holdings = holdingsOf(Object.fromEntries(parameters.map((parameter) => [parameter.name, parameter])), [address]);

async function made(device: Device) {
  const set = await ParameterSet.create(device, device.slice('test', 2 ** 25), holdings, { optimizer, seed: 1 });
  set.reserveGradients(1);
  const arenas = set.learning.map((bucket): [Bucket, FlatArena] => [bucket, bucket.takeGradient()]);
  const views = Object.assign({}, ...arenas.map(([, arena]) => arena.views)) as Bindings;
  // What lies between tensors is nobody's.
  for (const [, { flat }] of arenas) device.write(flat, new Float32Array(flat.shape[0]).fill(NaN));
  for (const { name } of parameters) {
    const tensor = views[name];
    device.write(tensor, valuesOf(name, tensor.bytes / 4));
  }
  return { set, gradient: new Map(arenas), views };
}

const near = new CpuDevice({ bytes: 2 ** 25 });
const far = new RemoteDevice({ bytes: 2 ** 25 });
afterAll(() => Promise.all([near.close(), far.close()]));

it('takes no gradient beyond those that were reserved, and the same memory again', async () => {
  const slice = near.slice(address, 2 ** 25);
  const set = await ParameterSet.create(near, slice, holdings, { optimizer, seed: 1 });
  set.reserveGradients(2);
  const used = slice.usedBytes;
  const [bucket] = set.learning;
  const [first] = [bucket.takeGradient(), bucket.takeGradient()];
  expect(() => bucket.takeGradient()).toThrow(
    expect.objectContaining({
      tag: 'GradientsExhausted',
      message:
        'run/stage-p0-d0: all 2 gradients of short that were reserved are in use, and a run takes no more; please report this with the topology file',
    }),
  );
  bucket.giveGradient(first);
  expect(bucket.takeGradient()).toBe(first);
  expect(slice.usedBytes).toBe(used);
});

it('has moments of 0 where it is given a parameter alone, and leaves the others as they are', async () => {
  const set = await ParameterSet.create(near, near.slice(address, 2 ** 25), holdings, { optimizer, seed: 1 });
  const tensorOf = (value: number) => payload(new Float32Array(7).fill(value), [7]);
  const same = payload(new Float32Array(1025).fill(8), [1025]);
  set.restore(partsOf({ short: tensorOf(1), 'short.exp_avg': tensorOf(2), 'short.exp_avg_sq': tensorOf(3) }));
  set.restore(partsOf({ same, 'same.exp_avg': same, 'same.exp_avg_sq': same }));
  set.restore(partsOf({ short: tensorOf(4) }));
  expect(await set.save(['short', 'same'])).toEqual({
    ...{ short: tensorOf(4), 'short.exp_avg': tensorOf(0), 'short.exp_avg_sq': tensorOf(0) },
    ...{ same, 'same.exp_avg': same, 'same.exp_avg_sq': same },
  });
});

it('takes a parameter in parts, which need not come in one message', async () => {
  const set = await ParameterSet.create(near, near.slice(address, 2 ** 25), holdings, { optimizer, seed: 1 });
  const long = payload(valuesOf('long', 70_000), [70_000]);
  const moment = payload(valuesOf('moment', 70_000), [70_000]);
  const parts = (name: string, tensor: typeof long) => [
    partOf(name, tensor, 0, 4096),
    partOf(name, tensor, 4096, 65_000),
    partOf(name, tensor, 69_096),
  ];
  for (const part of [...parts('long', long), ...parts('long.exp_avg', moment)]) set.restore([part]);
  const none = payload(new Float32Array(70_000), [70_000]);
  expect(await set.save(['long'])).toEqual({ long, 'long.exp_avg': moment, 'long.exp_avg_sq': none });
  set.restore(parts('long', moment));
  expect(await set.save(['long'])).toEqual({ long: moment, 'long.exp_avg': none, 'long.exp_avg_sq': none });
});

it('refuses a part of what it does not have, and of another shape, by name', async () => {
  const set = await ParameterSet.create(near, near.slice(address, 2 ** 25), holdings, { optimizer, seed: 1 });
  const seven = payload(new Float32Array(7), [7]);
  const line = (name: string, shape: string) =>
    `checkpoint: no tensor ${name} of shape [${shape}]; it belongs to another model, check model and moe`;
  expect(() => set.restore(partsOf({ 'short.momentum': seven }))).toThrow(line('short.momentum', ''));
  expect(() => set.restore(partsOf({ 'same.exp_avg': seven }))).toThrow(line('same.exp_avg', '1025'));
});

it('makes initial values of what is fresh alone', async () => {
  const fresh = new Set(['short']);
  const set = await ParameterSet.create(near, near.slice(address, 2 ** 25), holdings, { optimizer, seed: 1, fresh });
  const { short, same } = await set.save(['short', 'same']);
  expect([short.data, same.data]).toEqual([new Float32Array(7).fill(1), new Float32Array(1025)]);
});

it('keeps parameters that do not learn without moments and gradients, and saves them', async () => {
  const slice = near.slice(address, 2 ** 25);
  const frozen = holdings.map((holding) => ({ ...holding, learns: false }));
  const set = await ParameterSet.create(near, slice, frozen, { optimizer, seed: 1 });
  set.reserveGradients(2);
  expect(slice.usedBytes).toBe(
    4 * Object.values(shapes).reduce((sum, shape) => sum + 16 * Math.ceil(elements(shape) / 16), 0),
  );
  expect(set.learning).toEqual([]);
  expect(await set.squares(new Map(), set.reportedBy(address))).toEqual({});
  const saved = await set.save(Object.keys(shapes));
  expect(Object.keys(saved)).toEqual(Object.keys(shapes));
  set.restore(partsOf(saved));
  expect(Object.keys(await set.digest(set.reportedBy(address)))).toEqual(Object.keys(shapes));
});

describe('the squares of a gradient', () => {
  it('are summed by the host where it shares the memory', async () => {
    const { set, gradient, views } = await made(near);
    const squares = await set.squares(gradient, set.reportedBy(address));
    expect(Object.keys(squares)).toEqual(Object.keys(shapes));
    for (const [name, sum] of Object.entries(squares))
      expect(sum).toBe(sumOfChunks(chunkSquaresOf(valuesOf(name, views[name].bytes / 4))));
  });

  it('are summed on the device where it does not, and a thousandth is read', async () => {
    const { set, gradient, views } = await made(far);
    const read = vi.spyOn(far, 'read');
    const squares = await set.squares(gradient, set.reportedBy(address));
    expect(read.mock.calls.map(([{ bytes }]) => bytes / 4)).toEqual([64, 2, 1, 69, 2]);
    read.mockRestore();
    for (const [name, sum] of Object.entries(squares)) {
      const expected = sumOfChunks(chunkSquaresOf(valuesOf(name, views[name].bytes / 4)));
      expect(Math.abs(sum / expected - 1), name).toBeLessThan(1e-6);
    }
  });
});
