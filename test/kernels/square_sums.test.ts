/** Sums of squares by their reference: what a part is, and what goes in. */
import { afterAll, describe, expect, it } from 'vitest';
import { dynamic, f32, runReference, trace } from '../../src/kernels/index.ts';
import { CpuDevice } from '../../src/kernels/cpu/device.ts';
import { laneSum } from '../../src/kernels/lane_sum.ts';
import { squareSums } from '../../src/kernels/ops/square_sums.ts';
import { inputsOf } from './kit.ts';
import { expectSquareSums, lengths } from './square_sums.ts';

const device = new CpuDevice({ bytes: 2 ** 26 });
afterAll(() => device.close());

describe('sums of squares', () => {
  it.each(lengths)('of %i elements are those of 1024 elements each, and of the rest', async (length) => {
    await expectSquareSums(device, length);
  });

  it('add up in fp32, in the order of sums over rows', () => {
    const program = trace('squares', { x: f32([1500]) }, ({ x }) => ({ parts: squareSums(x) }));
    const { x } = inputsOf(program);
    const square = (i: number): number => Math.fround(x[i] * x[i]);
    const expected = [laneSum(1024, square), laneSum(476, (i) => square(1024 + i))];
    expect([...runReference(program, { x }, {}).parts]).toEqual(expected);
  });

  it('take any fixed shape', () => {
    const program = trace('squares', { x: f32([3, 700]) }, ({ x }) => ({ parts: squareSums(x) }));
    expect(program.outputs[0].value.type.shape).toEqual([3]);
    const traced = () => trace('squares', { x: f32([dynamic('rows', 3)]) }, ({ x }) => ({ parts: squareSums(x) }));
    expect(traced).toThrow('needs fixed sizes');
  });
});
