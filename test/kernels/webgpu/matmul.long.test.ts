/** Every form of a product against the plain one: by vectors in two sizes, by elements, and without barriers. */
// @module-tag webgpu
import { afterAll, describe, expect, it } from 'vitest';
import { dynamic, f32, matmul, runReference, trace } from '../../../src/kernels/index.ts';
import { inputsOf, onDevice, relativeError } from '../kit.ts';
import { openDevice } from './kit.ts';

const devices = {
  shared: await openDevice({ isSerial: false }),
  serial: await openDevice({ isSerial: true }),
};
afterAll(async () => {
  for (const device of Object.values(devices)) await device.close();
});

/** [m, k, n]: a tile, vectors that divide no tile, no vectors, and more tiles than are made by one small workgroup. */
const sizes = [
  [64, 64, 64],
  [68, 36, 132],
  [33, 17, 29],
] as const;
const orders = [
  [false, false],
  [false, true],
  [true, false],
  [true, true],
] as const;

describe.each(['shared', 'serial'] as const)('%s', (form) => {
  it.each(sizes)('makes [%i, %i] by [.., %i] in every order, of live rows only', async (m, k, n) => {
    for (const [transposeA, transposeB] of orders) {
      const rows = dynamic('rows', (transposeA ? k : m) + 9);
      const a = transposeA ? [rows, m] : [rows, k];
      const b = transposeB ? [n, k] : [transposeA ? rows : k, n];
      if (transposeA && transposeB) continue;
      const program = trace('product', { a: f32(a), b: f32(b) }, (x) => ({
        y: matmul(x.a, x.b, { transposeA, transposeB, scale: 0.5 }),
      }));
      const live = { rows: transposeA ? k : m };
      const inputs = inputsOf(program);
      const { y } = await onDevice(devices[form])(program, inputs, live);
      expect(relativeError(y, runReference(program, inputs, live).y), `${transposeA} ${transposeB}`).toBeLessThan(1e-6);
    }
  });

  it('makes a batch of products, one operand shared', async () => {
    const program = trace('batch', { a: f32([3, 20, 8]), b: f32([3, 12, 8]), w: f32([8, 16]) }, ({ a, b, w }) => ({
      scores: matmul(a, b, { transposeB: true }),
      y: matmul(a, w),
    }));
    const inputs = inputsOf(program);
    const actual = await onDevice(devices[form])(program, inputs, {});
    const expected = runReference(program, inputs, {});
    for (const name of ['scores', 'y']) expect(relativeError(actual[name], expected[name])).toBeLessThan(1e-6);
  });
});

it('makes tiles of 128 where there are enough of them', async () => {
  const program = trace('many', { a: f32([128, 4, 16]), b: f32([128, 16, 132]) }, ({ a, b }) => ({ y: matmul(a, b) }));
  const inputs = inputsOf(program);
  const { y } = await onDevice(devices.shared)(program, inputs, {});
  expect(relativeError(y, runReference(program, inputs, {}).y)).toBeLessThan(1e-6);
});
