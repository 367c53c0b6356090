/** Sums of squares in float64, in generated code: the reference's bits. */
import { afterAll, describe, expect, it } from 'vitest';
import { chunkSquares, doublesOf } from '../../src/kernels/ops/chunk_squares.ts';
import { CpuDevice } from '../../src/kernels/cpu/device.ts';
import { floats, ints } from '../../src/kernels/dtype.ts';
import { f32, trace } from '../../src/kernels/index.ts';
import { inputsOf, onDevice, onReference } from './kit.ts';

const device = new CpuDevice({ bytes: 2 ** 26 });
afterAll(() => device.close());

const CHUNK = 65_536;

const programOf = (length: number) => trace('squares', { x: f32([length]) }, ({ x }) => ({ sums: chunkSquares(x) }));

const sumsOf = async (run: ReturnType<typeof onDevice>, length: number, x: Float32Array): Promise<number[]> => [
  ...doublesOf(ints('sums', (await run(programOf(length), { x }, {})).sums)),
];

describe('sums of squares by chunks', () => {
  it.each([8, 24, 29, CHUNK, CHUNK + 8, 3 * CHUNK + 5, 2 * CHUNK + 8 * 1001])(
    'of %i elements have the bits of the reference',
    async (length) => {
      const x = floats('x', inputsOf(programOf(length)).x);
      const sums = await sumsOf(onDevice(device), length, x);
      expect(sums).toEqual(await sumsOf(onReference, length, x));
      expect(sums).toHaveLength(Math.ceil(length / CHUNK));
      expect(sums[0]).toBeCloseTo(
        x.slice(0, CHUNK).reduce((sum, value) => sum + value ** 2, 0),
        6,
      );
    },
  );

  it('are in float64, and are not finite where an element is not', async () => {
    const sumOf = async (first: number) =>
      (await sumsOf(onDevice(device), 8, Float32Array.of(first, 0, 0, 0, 0, 0, 0, 1)))[0];
    expect(await sumOf(2 ** 100)).toBe(2 ** 200 + 1);
    expect(await sumOf(-Infinity)).toBe(Infinity);
    expect(await sumOf(NaN)).toBeNaN();
  });
});
