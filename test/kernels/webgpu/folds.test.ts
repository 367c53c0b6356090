/**
 * What a workgroup folds, by subgroups where the adapter has them and by halves: exact sums and maxima of whole numbers over
 * rows, shorter than a subgroup and longer than a workgroup; of others the same bits again.
 */
// @module-tag webgpu
import { afterAll, describe, expect, it } from 'vitest';
import { dynamic, f32, reduceMax, reduceSum, trace } from '../../../src/kernels/index.ts';
import { draw } from '../../../src/kernels/random.ts';
import { bytesOf, onDevice } from '../kit.ts';
import { firstAdapter, openDevice } from './kit.ts';

// Subgroups of 4 in Mesa's driver for the processor, the smallest that there are; other tests have its usual 8.
process.env.LP_NATIVE_VECTOR_WIDTH ??= '128';

const ROWS = 9;
const forms = {
  'as the adapter is': { isSerial: false },
  bare: { isSerial: false, isBare: true },
};
const devices = await Promise.all(
  Object.entries(forms).map(async ([form, options]) => ({
    form,
    device: await openDevice(options),
    second: await openDevice(options),
  })),
);
const { isSoftware, adapter } = await firstAdapter();
it('folds by subgroups where the adapter has them, of 4 in the driver that this was written for', () => {
  expect(adapter.features.has('subgroups')).toBe(true);
  if (isSoftware) expect(adapter.info.subgroupMaxSize).toBe(4);
});
afterAll(async () => {
  for (const { device, second } of devices) for (const each of [device, second]) await each.close();
});

const foldsOf = (width: number) =>
  trace(`folds ${width}`, { x: f32([dynamic('rows', 12), width]) }, ({ x }) => ({
    sums: reduceSum(x, [-1]),
    tops: reduceMax(x, [-1]),
  }));

describe.each(devices)('$form', ({ device, second }) => {
  it.each([1, 3, 31, 128, 129, 600, 1024, 5000])('folds rows of %i', async (width) => {
    // Their sums stay below 2²⁴, so that no order of summation rounds.
    const x = Float32Array.from({ length: ROWS * width }, (_, i) => (draw(7, width, i) % 2048) - 2000);
    const rows = Array.from({ length: ROWS }, (_, r) => [...x.subarray(r * width, (r + 1) * width)]);
    const { sums, tops } = await onDevice(device)(foldsOf(width), { x }, { rows: ROWS });
    expect([...sums]).toEqual(rows.map((row) => row.reduce((sum, value) => sum + value, 0)));
    expect([...tops]).toEqual(rows.map((row) => Math.max(...row)));
  });

  it('gives the same bits run after run, and on a second device of the adapter', async () => {
    const program = foldsOf(1000);
    const x = Float32Array.from({ length: ROWS * 1000 }, (_, i) => draw(7, 0, i) / 2 ** 31 - 1);
    const bits = async (on: typeof device): Promise<string> =>
      bytesOf((await onDevice(on)(program, { x }, { rows: ROWS })).sums).toString('base64');
    const first = await bits(device);
    for (const each of [device, second, device]) expect(await bits(each)).toBe(first);
  });
});
