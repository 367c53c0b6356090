/** Sums of squares on a device against plain float64, where lengths are no multiples of a part. */
import { expect } from 'vitest';
import { squareSums } from '../../src/kernels/ops/square_sums.ts';
import { f32, trace, type Device } from '../../src/kernels/index.ts';
import { floats } from '../../src/kernels/dtype.ts';
import { inputsOf, onDevice, onReference, relativeError } from './kit.ts';

export const lengths = [1, 15, 1023, 1024, 1025, 5 * 1024 + 3];

const part = 1024;

/** Throws where parts are not those of the elements they stand for. */
export async function expectSquareSums(device: Device, length: number): Promise<void> {
  const program = trace('squares', { x: f32([length]) }, ({ x }) => ({ parts: squareSums(x) }));
  const x = floats('x', inputsOf(program).x);
  const { parts } = await onDevice(device)(program, { x }, {});
  const expected = Array.from({ length: Math.ceil(length / part) }, (_, i) =>
    x.slice(i * part, (i + 1) * part).reduce((sum, value) => sum + value * value, 0),
  );
  expect(relativeError(parts, Float32Array.from(expected))).toBeLessThan(1e-6);
  expect(relativeError(parts, (await onReference(program, { x }, {})).parts)).toBeLessThan(1e-6);
}
