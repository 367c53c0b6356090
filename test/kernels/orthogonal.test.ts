/** Orthogonalised matrices on the CPU device. */
import { afterAll, describe, expect, it } from 'vitest';
import { CpuDevice, dynamic, f32, flopsOf, orthogonal, trace, type Shape } from '../../src/kernels/index.ts';
import { bytesOf, inputsOf, onReference, relativeError } from './kit.ts';
import { expectOrthogonal, matrixOf, orthogonalOf, program, shapes, singularValues } from './orthogonal.ts';

const device = new CpuDevice({ bytes: 2 ** 26 });
const other = new CpuDevice({ bytes: 2 ** 26 });
afterAll(() => Promise.all([device.close(), other.close()]));

describe('an orthogonalised matrix', () => {
  it.each(shapes)('of %i x %i is that of float64, its singular values near 1', async (rows, columns) => {
    await expectOrthogonal(device, rows, columns);
  });

  it('is that of the plain reference', async () => {
    const { x, y } = await orthogonalOf(device, 16, 48);
    const expected = await onReference(program(16, 48), { x, epsilon: Float32Array.of(1e-7) }, {});
    expect(relativeError(y, expected.y)).toBeLessThan(1e-5);
  });

  it('is the transpose of that of the transpose', async () => {
    const tall = await orthogonalOf(device, 48, 16);
    const wide = await orthogonalOf(device, 16, 48, (i) => tall.x[(i % 48) * 16 + Math.floor(i / 48)]);
    const turned = Float32Array.from(tall.y, (_, i) => wide.y[(i % 16) * 48 + Math.floor(i / 16)]);
    expect(relativeError(tall.y, turned)).toBeLessThan(1e-4);
  });

  it('has the same bits on another device, elsewhere in its memory', async () => {
    other.slice('before', 2 ** 20).tensor('x', 'f32', [1000]);
    const [one, two] = [await orthogonalOf(device, 48, 32), await orthogonalOf(other, 48, 32)];
    expect(bytesOf(one.y).equals(bytesOf(two.y))).toBe(true);
  });

  it('does not depend on how large the matrix is', async () => {
    const { x, y } = await orthogonalOf(device, 16, 48);
    const scaled = await orthogonalOf(device, 16, 48, (i) => x[i] * 2 ** 20);
    expect(relativeError(scaled.y, y)).toBeLessThan(1e-4);
  });

  it('has as many singular values near 1 as the matrix has that are not 0', async () => {
    const { y } = await orthogonalOf(device, 16, 48, (i) => Math.cos(Math.floor(i / 48)) * Math.sin(i % 48));
    const [largest, ...others] = singularValues(matrixOf(y, 16, 48)).sort((a, b) => b - a);
    expect(largest).toBeGreaterThan(0.65);
    for (const value of others) expect(value).toBeLessThan(0.01);
  });

  it('of zeros is zeros', async () => {
    const { y } = await orthogonalOf(device, 16, 48, () => 0);
    expect([...new Set(y)]).toEqual([0]);
  });

  it('costs the products of its shorter side', () => {
    const cost = 5 * (2 * 2 * 16 * 16 * 48 + 2 * 16 ** 3);
    expect([flopsOf(program(16, 48)), flopsOf(program(48, 16))]).toEqual([cost, cost]);
  });

  it('is made in fp32 where products are traced in another precision', async () => {
    const specs = { x: f32([16, 48]), epsilon: f32([1]) };
    const half = trace('half', specs, ({ x, epsilon }) => ({ y: orthogonal(x, epsilon) }), { precision: 'bf16' });
    const given = inputsOf(half, { epsilon: () => 1e-7 });
    const [actual, expected] = [await onReference(half, given, {}), await onReference(program(16, 48), given, {})];
    expect(bytesOf(actual.y).equals(bytesOf(expected.y))).toBe(true);
  });
});

it.each<[string, Shape, string]>([
  ['a row', [1, 16], 'x is [1, 16], which is a vector'],
  ['a column', [16, 1], 'x is [16, 1], which is a vector'],
  ['a vector', [16], 'x has shape [16], needs 2 axes'],
  ['rows that are not known', [dynamic('rows', 20), 16], 'needs fixed sizes'],
])('nothing is made of %s', (_what, shape, message) => {
  const traced = () => trace('t', { x: f32(shape), epsilon: f32([1]) }, (w) => ({ y: orthogonal(w.x, w.epsilon) }));
  expect(traced).toThrow(message);
});
