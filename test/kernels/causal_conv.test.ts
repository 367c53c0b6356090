/** The causal depthwise convolution by hand, and that no token sees a later one. */
import { afterAll, expect, it } from 'vitest';
import { causalConv, CpuDevice, f32, ShapeError, trace, weight } from '../../src/kernels/index.ts';
import { onDevice } from './kit.ts';

const device = new CpuDevice({ bytes: 2 ** 24 });
afterAll(() => device.close());

const conv = trace('conv', { x: f32([2, 5, 4]), w: weight([4, 3]), b: weight([4]) }, ({ x, w, b }) => ({
  y: causalConv({ x, w, b }),
}));
const w = Float32Array.of(1, 2, 3, 0, 0, 1, 1, 0, 0, -1, 0, 1);
const b = Float32Array.of(0, 10, 0, 0.5);
const run = async (x: Float32Array): Promise<readonly number[]> => {
  const { y } = await onDevice(device)(conv, { x, w, b }, {});
  return [...y];
};

it('multiplies the current token by the last tap, and those before it by the taps before', async () => {
  // Token t of the first sequence is t + 1 in every channel; the second sequence is zero, but for its first token.
  const x = Float32Array.from({ length: 40 }, (_, i) => (i < 20 ? Math.floor(i / 4) + 1 : i < 24 ? 1 : 0));
  const rows = await run(x);
  expect(rows.slice(0, 20)).toEqual(
    [
      [3, 11, 0, 1.5],
      [8, 12, 0, 2.5],
      [14, 13, 1, 2.5],
      [20, 14, 2, 2.5],
      [26, 15, 3, 2.5],
    ].flat(),
  );
  expect(rows.slice(20)).toEqual(
    [
      [3, 11, 0, 1.5],
      [2, 10, 0, 0.5],
      [1, 10, 1, -0.5],
      [0, 10, 0, 0.5],
      [0, 10, 0, 0.5],
    ].flat(),
  );
});

it('does not look ahead', async () => {
  const x = Float32Array.from({ length: 40 }, (_, i) => Math.sin(i));
  const before = await run(x);
  x.fill(9, 12, 20);
  const after = await run(x);
  expect(after.slice(0, 12)).toEqual(before.slice(0, 12));
  expect(after.slice(12, 20)).not.toEqual(before.slice(12, 20));
  expect(after.slice(20)).toEqual(before.slice(20));
});

it('refuses operands that do not fit, with their shapes', () => {
  const wrong = (): unknown =>
    trace('conv', { x: f32([1, 3, 4]), w: weight([5, 4]), b: weight([4]) }, ({ x, w, b }) => ({
      y: causalConv({ x, w, b }),
    }));
  expect(wrong).toThrow(ShapeError);
  expect(wrong).toThrow('[1, 3, 4], [5, 4], [4] do not fit');
});
