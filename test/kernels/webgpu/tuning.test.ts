/** Forms of a product: each gives the same bits, the fastest is found and remembered. */
import { afterAll, expect, it } from 'vitest';
import { f32, matmul, trace } from '../../../src/kernels/index.ts';
import { bytesOf, inputsOf, onDevice } from '../kit.ts';
import { openDevice } from './kit.ts';

process.env.GALLIVM_PERF ??= 'nopt';
const program = trace('product', { a: f32([72, 40]), b: f32([40, 68]) }, ({ a, b }) => ({ y: matmul(a, b) }));
const key = 'matmul NN [72, 68, 40] f32';
const serial = ['serial 8x4', 'serial 8x8'];
const shared = ['vectors 64/4/32', 'vectors 64/8/16', 'vectors 128/8/16'];

const opened: Awaited<ReturnType<typeof openDevice>>[] = [];
const open: typeof openDevice = async (options) => {
  const device = await openDevice(options);
  opened.push(device);
  return device;
};
afterAll(() => Promise.all(opened.map((device) => device.close())));

async function bitsBy(options: Parameters<typeof openDevice>[0]) {
  const device = await open(options);
  const { y } = await onDevice(device)(program, inputsOf(program), {});
  return { bits: bytesOf(y).toString('base64'), choices: device.choices, buffers: device.counts().buffers };
}

it.each([
  [true, serial],
  [false, shared],
])('gives the same bits in every form (without barriers: %s), tuned and not', async (isSerial, names) => {
  const untuned = await bitsBy({ isSerial, autotune: false });
  expect(untuned.choices).toEqual({});
  for (const name of names) {
    const forced = await bitsBy({ isSerial, autotune: true, tuning: { [key]: name } });
    expect(forced.bits, name).toBe(untuned.bits);
    expect(forced.choices).toEqual({ [key]: name });
  }
  const tuned = await bitsBy({ isSerial, autotune: true });
  expect(tuned.bits).toBe(untuned.bits);
  expect(names).toContain(tuned.choices[key]);
  expect(tuned.buffers).toBe(untuned.buffers);
});

it('tries again where what is remembered is no form of this adapter', async () => {
  const { choices } = await bitsBy({ isSerial: true, autotune: true, tuning: { [key]: 'of another' } });
  expect(serial).toContain(choices[key]);
});
