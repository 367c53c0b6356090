/** The event loop while Dawn has something pending. */
// @module-tag webgpu
import { afterAll, expect, it } from 'vitest';
import { f32, matmul, trace } from '../../../src/kernels/index.ts';
import { openDevice } from './kit.ts';

const immediate = globalThis.setImmediate;
let asked = 0;
const counted = (callback: (...args: unknown[]) => void, ...args: unknown[]): unknown => {
  asked++;
  return immediate(callback, ...args);
};
globalThis.setImmediate = Object.assign(counted as typeof setImmediate, immediate);

const device = await openDevice();
afterAll(() => device.close());

it('is not asked over and over by a wait that takes long', async () => {
  const size = 256;
  const square = f32([size, size]);
  const program = trace('square', { a: square, b: square }, ({ a, b }) => ({ y: matmul(a, b) }));
  const slice = device.slice('polling', 2 ** 24);
  const shape = [size, size];
  const tensors = {
    a: slice.tensor('a', 'f32', shape),
    b: slice.tensor('b', 'f32', shape),
    y: slice.tensor('y', 'f32', shape),
  };
  const executable = await device.compile(program);
  for (let i = 0; i < 20; i++) await executable.run(tensors);
  asked = 0;
  await device.read(tensors.y, 1);
  expect(asked).toBeLessThan(100);
  slice.release();
});

it('still runs the callbacks of others, with their arguments', async () => {
  for (let i = 0; i < 100; i++) expect(await new Promise((resolve) => setImmediate(resolve, i))).toBe(i);
});
